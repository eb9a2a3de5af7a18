// Package spf evaluates the Sender Policy Framework (RFC 7208) for one identity at a
// time, the reverse-path's domain or the name of HELO.
//
// A record is read as a whole before any of it counts: a fault anywhere is permerror.
// The limits are those of RFC 7208 4.6.4, and MaxQuestions. Whatever is not known
// because a question was not answered is temperror, never fail.
//
// All functions are safe for concurrent use and start no goroutine.
package spf

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// MaxQuestions is how many DNS questions one evaluation may ask, cached answers
// included, so that the result doesn't depend on the cache. The limits of RFC 7208 alone
// would allow more than two hundred. What would need more is temperror: the policy may be
// a correct one, so permerror would be wrong, and with DMARC it could become a refusal.
const MaxQuestions = 30

// Limits of RFC 7208 4.6.4. A void look-up is a term whose own question is answered with
// "no such name" or with nothing; the addresses of mail exchangers and of names of the
// client are not counted.
const (
	maxLookups = 10
	maxVoids   = 2
	maxHosts   = 10 // mail exchangers of one "mx", names of the client
)

// maxTerm is how much of a term Evaluation.Term holds.
const maxTerm = 255

// Client is what is known of the client, besides the identity.
type Client struct {
	IP   netip.Addr
	HELO string // what it said, for %{h}
	// Receiver is our name, for %{r} in explanations.
	Receiver string
	// Now is the time of the evaluation, for %{t} in explanations.
	Now time.Time
}

// Evaluation is the result for one identity.
type Evaluation struct {
	Result authres.Result
	Domain string // that was asked, lower case A-labels; "" if it is none
	Reason string // for people; holds no text of the sender
	// Mechanism is what decided, as the field Received-SPF names it (RFC 7208 9.1):
	// "all", "ip4", "default"; "" where nothing did.
	Mechanism string
	// Term is what decided, as its owner wrote it: "include:_spf.example", "-all". With
	// redirect= it is a term of that policy. "default" when nothing matched, "" where
	// nothing decided. ASCII without blanks, at most 255 octets.
	Term string
	// Explanation is what the domain tells those it refuses (exp=, RFC 7208 6.2), for a
	// fail alone. Its owner chose the words: one line of printable ASCII, at most 200
	// octets.
	Explanation string
	// DNSSEC is whether the resolver vouches for every answer that led to the result (AD,
	// RFC 4035 3.2.3), the explanation aside.
	DNSSEC bool
}

// Check evaluates the policy of domain for a client that says mail is from
// local@domain (RFC 7208 4). The local part is without its quotes; an empty one is
// postmaster. The result is none for what is no domain name of at least two labels
// (4.3). U-labels are A-labels. The context's deadline yields temperror. Its notes
// (package why) tell each step.
func Check(ctx context.Context, r dns.Resolver, client Client, local, domain string) Evaluation {
	name, ok := dns.Domain(domain)
	if !ok || !strings.Contains(name, ".") || literal(name) {
		if why.On(ctx) {
			why.Say(ctx, "%q is no domain name of two labels or more, so there is no policy to ask for: none (RFC 7208 4.3)", domain)
		}
		return Evaluation{Result: authres.None, Reason: "no domain that could have a policy"}
	}
	ip := client.IP.Unmap().WithZone("")
	if !ip.IsValid() {
		why.Say(ctx, "the client has no address: none")
		return Evaluation{Result: authres.None, Domain: name, Reason: "the client has no address"}
	}
	if local == "" {
		local = "postmaster" // RFC 7208 4.3
	}
	e := evaluation{
		resolver: r, client: client, ip: ip, local: local, sender: name, helo: heloName(client.HELO), why: why.On(ctx),
	}
	if e.why {
		why.Say(ctx, "may %s send mail from %q?", ip, local+"@"+name)
	}
	return e.run(ctx)
}

// CheckHELO evaluates the HELO identity (RFC 7208 2.3).
func CheckHELO(ctx context.Context, r dns.Resolver, client Client) Evaluation {
	return Check(ctx, r, client, "", client.HELO)
}

// literal reports whether a name is an address: such a top level can't exist.
func literal(name string) bool {
	if strings.ContainsAny(name, "[]:") {
		return true
	}
	top := name[strings.LastIndexByte(name, '.')+1:]
	return strings.Trim(top, "0123456789") == ""
}

// heloName is HELO as a macro may use it: as it was said, with A-labels. One that is too
// long for a name may be shortened there.
func heloName(helo string) string {
	if name, ok := dns.Domain(helo); ok {
		return name
	}
	if len(helo) > 4*maxName || helo == "" {
		return "unknown"
	}
	for i := range len(helo) {
		if helo[i] <= ' ' || helo[i] > '~' {
			return "unknown"
		}
	}
	return helo
}
