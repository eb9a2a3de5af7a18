package verify

import (
	"errors"
	"strconv"
	"strings"

	"mxhook/verify/arc"
	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/why"
)

func (r *run) readARC() {
	r.chain = arc.Read(r.header, r.now)
	r.bodies = r.chain.Bodies()
}

func (r *run) fetchARC() { r.chain.FetchNewest(r.inARC, r.resolver) }

func (r *run) noChain() { r.chain = nil }

// joinARC evaluates the chain, and takes the word of trusted sealers where DMARC proves
// nothing.
func (r *run) joinARC(results *Results) {
	a := &results.ARC
	*a = ARC{Result: authres.TempError, Sealers: []string{}}
	switch {
	case errors.Is(r.readErr, dkim.ErrHeaderTooLarge):
		a.Result, a.Reason = authres.None, "the header section is too large"
		return
	case r.readErr != nil:
		a.Reason = "the message could not be read"
		return
	case r.chain == nil:
		a.Reason = reasonInternal
		return
	}
	e := r.chain.Evaluate(r.inARC, r.resolver)
	*a = ARC{Result: e.Result, ChainLength: e.Length, Sealers: e.Sealers, Reason: e.Reason}
	r.oldest = e.OldestPass
	var vouched bool
	a.Trusted, vouched = r.chain.Trust(r.sealers, r.from)
	r.sayTrust(*a, vouched)
	switch {
	case !a.Trusted:
	case vouched:
		a.Reason = "a trusted sealer says dmarc=pass for " + r.from
	case r.from == "":
		a.Reason = "the sealer is trusted, but there is no author's domain to vouch for: " + r.noFrom
	default:
		a.Reason = "no trusted sealer says dmarc=pass for " + r.from
	}
	if vouched && !results.FromVerified {
		results.FromVerified, results.FromVerifiedBy = true, "arc"
	}
}

// sayTrust tells what the chain is worth for the author.
func (r *run) sayTrust(a ARC, vouched bool) {
	if !why.On(r.inARC) {
		return
	}
	switch {
	case a.Result == authres.None:
		why.Say(r.inARC, "the message has no ARC sets: nobody who forwarded it sealed what it found before")
	case a.Result != authres.Pass:
		why.Say(r.inARC, "the chain of %d sets is %s: %s. Nothing that its sealers say counts (RFC 8617 5.2)", a.ChainLength, a.Result, a.Reason)
	default:
		why.Say(r.inARC, "the chain of %d sets passes; the sealers, oldest first: %s; the message is unchanged since set %d", a.ChainLength, strings.Join(a.Sealers, ", "), max(r.oldest, 1))
		switch {
		case vouched:
			why.Say(r.inARC, "every sealer from the newest down to a trusted one is trusted (verify.trusted_arc_sealers), and that one says dmarc=pass for %s", r.from)
		case a.Trusted:
			why.Say(r.inARC, "the newest sealer is trusted, but neither it nor a trusted one right below it says dmarc=pass for %q", r.from)
		default:
			why.Say(r.inARC, "the newest sealer, or who signed for it, is not among verify.trusted_arc_sealers: what it says counts for nothing")
		}
	}
}

// arcStatement says the result in the words of RFC 8617 10.1, which knows none, pass
// and fail alone: there all errors are failures (5.2.1). The sealers, oldest first, are
// in a property that OpenARC has made known, though it is not registered.
func (r *run) arcStatement(a ARC, address string) authres.Statement {
	s := authres.Statement{Method: authres.MethodARC, Result: a.Result, Reason: a.Reason}
	if s.Result == authres.TempError {
		s.Result = authres.Fail
	}
	if s.Result == authres.None {
		return s
	}
	if s.Result == authres.Pass {
		s.Properties = append(s.Properties, property("header", "oldest-pass", strconv.Itoa(r.oldest)))
	}
	s.Properties = append(s.Properties, property("smtp", "remote-ip", address))
	if s.Result == authres.Pass {
		s.Properties = append(s.Properties, property("arc", "chain", strings.Join(a.Sealers, ":")))
	}
	return s
}
