package verify

import (
	"errors"
	"strconv"

	"mxhook/verify/arc"
	"mxhook/verify/authres"
	"mxhook/verify/dkim"
)

func (r *run) readARC() {
	r.chain = arc.Read(r.header, r.now)
	r.bodies = r.chain.Bodies()
}

func (r *run) fetchARC() {
	if r.chain != nil {
		r.chain.FetchNewest(r.inARC, r.resolver)
	}
}

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

// arcStatement says the result in the words of RFC 8617 10.1, which knows none, pass
// and fail alone: there all errors are failures (5.2.1).
func (r *run) arcStatement(a ARC, address string) authres.Statement {
	s := authres.Statement{Method: authres.MethodARC, Result: a.Result, Reason: a.Reason}
	if s.Result == authres.TempError {
		s.Result = authres.Fail
	}
	if s.Result == authres.None {
		return s
	}
	if s.Result == authres.Pass {
		s.Properties = append(s.Properties, authres.Property{Type: "header", Name: "oldest-pass", Value: strconv.Itoa(r.oldest)})
	}
	s.Properties = append(s.Properties, authres.Property{Type: "smtp", Name: "remote-ip", Value: address})
	return s
}
