package spf

import (
	"context"

	"mxhook/verify/authres"
	"mxhook/verify/why"
)

// maxExplanation is how long an explanation may be, in octets.
const maxExplanation = 200

// explain fetches the explanation of a fail (RFC 7208 6.2). Any fault makes it "" and
// changes no result.
func (e *evaluation) explain(ctx context.Context, spec, domain string) string {
	target, ok, stop := e.name(ctx, spec, domain)
	if stop != nil || !ok || e.question(ctx) != nil {
		return ""
	}
	texts, err := e.resolver.LookupTXT(ctx, target)
	if err != nil || len(texts) != 1 || !isExplanation(texts[0]) {
		if e.why {
			why.Say(ctx, "exp=%s has no explanation that could be used (RFC 7208 6.2); the result stands", spec)
		}
		return ""
	}
	b, _, stop := e.expand(ctx, nil, texts[0], domain, true)
	if stop != nil {
		return ""
	}
	b = b[:min(len(b), maxExplanation)]
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?' // from the sender's address or HELO
		}
	}
	if e.why {
		why.Say(ctx, "its explanation, in the words of %s: %q", domain, b)
	}
	return string(b)
}

// isExplanation tells whether a text is an explain-string: ASCII, with good macros.
func isExplanation(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return isMacroString(text, true)
}

func (e *evaluation) sayNoPolicy(ctx context.Context, domain string, texts int, stop *halt) {
	switch {
	case !e.why:
	case stop != nil:
		why.Say(ctx, "the policy of %s can't be read: %s", domain, stop.reason)
	case texts > 0:
		why.Say(ctx, "%s has TXT records, but none that begins with v=spf1: it publishes no policy (RFC 7208 4.5)", domain)
	default:
		why.Say(ctx, "%s publishes no policy", domain)
	}
}

// sayHalt tells an operator what ended the evaluation, and who could mend it.
func (e *evaluation) sayHalt(ctx context.Context, stop *halt) {
	switch {
	case !e.why:
	case stop.result == authres.PermError:
		why.Say(ctx, "permerror: %s. Only the owner of %s, or of a policy that it includes, can mend that", stop.reason, e.sender)
	default:
		why.Say(ctx, "temperror: %s. Nothing is known about the sender; a later try may tell", stop.reason)
	}
}

// sayResult tells an operator what was found, and what probably caused a failure.
func (e *evaluation) sayResult(ctx context.Context, out *Evaluation) {
	if !e.why {
		return
	}
	why.Say(ctx, "%s: %s (look-ups: %d of %d, void ones: %d of %d, questions: %d of %d)", out.Result, out.Reason,
		e.lookups, maxLookups, e.voids, maxVoids, e.asked, MaxQuestions)
	switch out.Result {
	case authres.Fail, authres.SoftFail:
		why.Say(ctx, "%s does not name %s among its servers. If that is a server of theirs, the owner of %s must add it to the record; "+
			"if somebody forwarded the mail, SPF can't pass there unless the forwarder writes a reverse-path of its own, and DKIM has to tell the author", e.sender, e.ip, e.sender)
	case authres.None, authres.Neutral:
		why.Say(ctx, "the owner of %s says nothing about this client, so SPF proves nothing", e.sender)
	}
}
