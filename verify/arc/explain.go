package arc

import (
	"context"
	"encoding/base64"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// Evaluate finds the result (RFC 8617 5.2, steps 4 to 7). FetchNewest and dkim.Verify
// must have ended. Only for a chain whose newest set holds are other keys asked for.
func (c *Chain) Evaluate(ctx context.Context, r dns.Resolver) Evaluation {
	e := c.evaluate(ctx, r)
	if why.On(ctx) {
		c.explain(ctx, e)
	}
	return e
}

// explain says how each set came to its result, the newest first, as they are checked.
func (c *Chain) explain(ctx context.Context, e Evaluation) {
	if c.fault != "" {
		why.Say(ctx, "the structure decides before any key is asked for (RFC 8617 5.2, steps 1 to 3): %s. A sealer on the way did that, or who wanted to look like one", c.fault)
		return
	}
	if len(c.sets) == 0 {
		return
	}
	header, digests := dkim.NewPicker(c.header), c.digests()
	for i := len(c.sets); i > 0; i-- {
		s := &c.sets[i-1]
		why.Say(ctx, "set %d of %d, sealed by %s (s=%s, cv=%s); it found: %.200s", i, len(c.sets), s.sealed.Domain(), s.sealed.Tag("s"), s.sealed.Tag("cv"), strings.Join(strings.Fields(s.said), " "))
		within := why.Within(ctx)
		if !s.signature.Asked() || !s.sealed.Asked() {
			why.Say(within, "not looked at, since a newer one does not hold")
			continue
		}
		why.Say(within, "%s: d=%s s=%s a=%s", nameMessage, s.signature.Domain(), s.signature.Tag("s"), s.signature.Tag("a"))
		result, reason := s.signature.OverMessage(header)
		s.signature.Explain(why.Within(within), header, nil, result, reason)
		if i < len(c.sets) && result != authres.Pass {
			why.Say(within, "that is no fault of the chain: who forwarded it afterwards changed it, and sealed what came out (step 5)")
		}
		why.Say(within, "%s: it covers the %d fields of sets 1 to %d; their SHA-256 is %s; the key has %d bits", nameSeal, 3*i, i,
			base64.StdEncoding.EncodeToString(digests[i-1]), s.sealed.KeyBits())
		result, reason = s.sealed.OverDigest(digests[i-1])
		if result == authres.Pass {
			why.Say(within, "the seal holds: nobody has changed these sets since")
			continue
		}
		why.Say(within, "the seal is %s: %s. A field of these sets was changed after it, or it was forged", result, reason)
	}
}
