package spf

import (
	"context"
	"net/netip"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// evaluation is one run of check_host() with all that it includes (RFC 7208 4).
type evaluation struct {
	resolver dns.Resolver
	client   Client
	ip       netip.Addr
	local    string
	sender   string // the domain that is asked first, %{o}
	helo     string
	why      bool

	terms   []term // of all policies, one behind the other
	names   []peer // the client's names, see names.go
	named   bool
	asked   int  // questions
	lookups int  // terms that ask
	voids   int  // those that found nothing
	doubt   bool // a question about the client's names was not answered
}

// halt ends an evaluation without a decision.
type halt struct {
	result authres.Result
	reason string
}

func permanent(reason string) *halt { return &halt{authres.PermError, reason} }
func temporary(reason string) *halt { return &halt{authres.TempError, reason} }

// verdict is what check_host() gives for one domain.
type verdict struct {
	result authres.Result
	reason string
	// term is what decided, -1 for none of them. The explanation is that of exp in
	// domain's policy.
	term        int
	domain, exp string
}

func (e *evaluation) run(ctx context.Context) Evaluation {
	observed, answers := dns.Observe(ctx)
	v, stop := e.host(observed, e.sender)
	if stop == nil && e.doubt && v.result != authres.Pass && v.result != authres.None {
		stop = temporary("a name server does not answer")
		if e.why {
			why.Say(ctx, "%s would follow, but not all questions about the client's names were answered, and what is not known never counts against the sender", v.result)
		}
	}
	if stop != nil {
		e.sayHalt(ctx, stop)
		return Evaluation{Result: stop.result, Domain: e.sender, Reason: stop.reason}
	}
	out := Evaluation{Result: v.result, Domain: e.sender, Reason: v.reason, DNSSEC: answers.Authenticated()}
	switch {
	case v.term >= 0:
		t := &e.terms[v.term]
		out.Mechanism, out.Term = t.kind.String(), t.text[:min(len(t.text), maxTerm)]
	case v.result != authres.None:
		out.Mechanism, out.Term = "default", "default"
	}
	if v.result == authres.Fail && v.exp != "" {
		out.Explanation = e.explain(ctx, v.exp, v.domain)
	}
	e.sayResult(ctx, &out)
	return out
}

// host is check_host() (RFC 7208 4).
func (e *evaluation) host(ctx context.Context, domain string) (verdict, *halt) {
	none := verdict{result: authres.None, reason: "no policy is published", term: -1}
	text, found, stop := e.policy(ctx, domain)
	if stop != nil || !found {
		return none, stop
	}
	r, terms, problem, at := parse(e.terms, text)
	e.terms = terms
	if problem != "" {
		if e.why {
			why.Say(ctx, "%s, at %q. A record with a fault anywhere counts for nothing (RFC 7208 4.6); the owner of %s can mend it", problem, at, domain)
		}
		return none, permanent(problem)
	}
	for i := r.from; i < r.to; i++ {
		t := e.terms[i] // an include moves the list
		matched, reason, stop := e.match(ctx, &t, domain)
		if stop != nil {
			return none, stop
		}
		if matched {
			v := verdict{result: t.result(), reason: reason, term: i, domain: domain, exp: r.exp}
			if e.why {
				why.Say(ctx, "%s matches: %s", t.text, v.result)
			}
			return v, nil
		}
	}
	if r.redirect != "" {
		return e.redirect(ctx, r.redirect, domain)
	}
	if e.why {
		why.Say(ctx, "no term of %s matches, and without one the result is neutral (RFC 7208 4.7)", domain)
	}
	return verdict{result: authres.Neutral, reason: "nothing matched", term: -1, domain: domain}, nil
}

func (t *term) result() authres.Result {
	switch t.qualifier {
	case '-':
		return authres.Fail
	case '~':
		return authres.SoftFail
	case '?':
		return authres.Neutral
	}
	return authres.Pass
}

// redirect puts another domain's policy in the place of this one (RFC 7208 6.1).
func (e *evaluation) redirect(ctx context.Context, spec, domain string) (verdict, *halt) {
	none := verdict{result: authres.None, term: -1}
	if stop := e.lookup(); stop != nil {
		return none, stop
	}
	target, ok, stop := e.name(ctx, spec, domain)
	if stop != nil {
		return none, stop
	}
	if !ok && !isASCII(e.local) {
		return verdict{result: authres.Neutral, reason: "nothing matched", term: -1, domain: domain}, nil
	}
	if e.why {
		why.Say(ctx, "no term of %s matches: its redirect=%s asks for the policy of %s instead (look-up %d of %d)", domain, spec, target, e.lookups, maxLookups)
	}
	if !ok || !e.askable(target) {
		return none, permanent("the policy redirects to what is no domain")
	}
	v, stop := e.host(ctx, target)
	if stop == nil && v.result == authres.None {
		stop = permanent("the policy redirects to a domain without one")
	}
	return v, stop
}

// include asks another domain's policy: only its pass is a match (RFC 7208 5.2).
func (e *evaluation) include(ctx context.Context, target string, ok bool) (bool, *halt) {
	if !ok || !e.askable(target) {
		return false, permanent("the policy includes what is no domain")
	}
	v, stop := e.host(why.Within(ctx), target)
	if stop != nil {
		return false, stop
	}
	if v.result == authres.None {
		return false, permanent("the policy includes a domain without one")
	}
	if e.why && v.result != authres.Pass {
		why.Say(ctx, "%s says %s, so that include does not match: only a pass would (RFC 7208 5.2)", target, v.result)
	}
	return v.result == authres.Pass, nil
}

// askable tells whether a domain could have a policy (RFC 7208 4.3).
func (e *evaluation) askable(target string) bool {
	for i := range len(target) {
		if target[i] == '.' {
			return true
		}
	}
	return false
}
