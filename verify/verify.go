// Package verify states who a message is from: SPF, DKIM, DMARC, ARC and iprev over one
// resolver, joined into Results. It knows nothing of SMTP: it takes addresses,
// names and readable bytes, and it never refuses anything.
//
// A name server that doesn't answer yields temperror, never fail.
package verify

import (
	"io"
	"net/netip"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/spf"
)

// Message is what is to be verified.
type Message struct {
	RemoteIP netip.Addr // the SMTP client
	HELO     string
	// MailFromLocal and MailFromDomain are the reverse-path, unquoted; both are empty
	// for the null reverse-path, where HELO takes their place (RFC 7208 2.4).
	MailFromLocal  string
	MailFromDomain string
	// BehindRelay says that RemoteIP is a relay of ours: spf and iprev are none.
	BehindRelay bool
	// Authenticated says that the client is a user of ours (RFC 4954), whose address no
	// SPF record needs to name: spf and iprev are none.
	Authenticated bool
	// SPF is what EvaluateSPF has found for this envelope; nil: it is evaluated now.
	SPF *spf.Evaluation
	// Spent is how much of Config.Timeout questions before have used up.
	Spent   time.Duration
	Content io.ReaderAt
	Size    int64
}

// Results is everything that is known of a message's origin. Domains are lower
// case A-labels.
type Results struct {
	SPF     SPF
	SPFHelo SPF
	DKIM    []DKIM // one for each signature, in the order of the message
	DMARC   DMARC
	ARC     ARC
	IPRev   IPRev
	HELO    HELO
	// FromVerified is true only if the domain of the one RFC5322.From author has
	// DMARC pass, or a trusted sealer at the end of an ARC chain that passes says that it
	// had. It proves the domain, never the mailbox or the person.
	FromVerified   bool
	FromVerifiedBy string // "dkim", "spf", "arc", or ""
	// FromVerifiedReason says in one sentence why FromVerified is what it is.
	FromVerifiedReason string
	// Header is the body of the Authentication-Results field that tells all this,
	// unfolded, beginning with the authserv-id.
	Header string
	// ReceivedSPF is the body of the Received-SPF field (RFC 7208 9.1), unfolded.
	ReceivedSPF string
	// Fault is for the log: a method failed by a fault of this program, and its result
	// is temperror. It holds nothing of the message. Nil in every ordinary case.
	Fault error
}

// SPF is a result of RFC 7208 for one identity.
type SPF struct {
	Result authres.Result
	Domain string
	Reason string
	// Mechanism is what decided, as the record has it: "include:_spf.example", "-all";
	// "default" when nothing matched, "" without a decision.
	Mechanism string
	// Explanation is what the domain says to whom it refuses (exp=, RFC 7208 6.2): its
	// owner's words, made harmless. "" but for a fail.
	Explanation string
	DNSSEC      bool // the resolver vouches for the records that decided (AD, RFC 4035 3.2.3)
}

// DKIM is the result of one signature (RFC 6376).
type DKIM struct {
	Result    authres.Result
	Domain    string // d=
	Selector  string // s=
	Algorithm string // a=
	// Aligned is whether it passed, not with a key in testing mode, and its domain is
	// aligned with the RFC5322.From domain, as that one's DMARC record wants it.
	Aligned bool
	Reason  string
	// Identity is the agent or user for whom it was signed, i= (RFC 6376 3.5); without
	// that tag "@" and Domain. One that is not of Domain is "".
	Identity string
	KeyBits  int // size of the public key; 0 while it is not known
	// Oversigned are the header fields, in lower case and sorted, that are signed once more
	// than they stand in the message, so that none can be added; 32 at most.
	Oversigned []string
	// Unsigned is how many octets of the canonical body l= leaves unsigned.
	Unsigned int64
	Testing  bool      // the key says t=y
	Signed   time.Time // t=, zero without
	Expires  time.Time // x=, zero without
	DNSSEC   bool      // the resolver vouches for the key, or that there is none
}

// DMARC is the result of RFC 9989.
type DMARC struct {
	Result               authres.Result
	Domain               string // the RFC5322.From domain
	PolicyDomain         string // where the record was found, "" without one
	OrganizationalDomain string
	Policy               string // the one that applies, after sp, np and t; "" without a record
	Disposition          string // what the domain asks for this message: none, quarantine, reject
	SPFAligned           bool
	DKIMAligned          bool
	Reason               string
	// AggregateReports and FailureReports are where the domain wants reports (rua, ruf),
	// as it wrote them. mxhook sends none.
	AggregateReports []string
	FailureReports   []string
	Testing          bool // the record says t=y
	DNSSEC           bool // the resolver vouches for the record
}

// ARC is the result of RFC 8617. Other than DMARC it says nothing of the author by
// itself.
type ARC struct {
	// Result is none, pass, fail, or temperror while a sealer's key can't be asked for;
	// in Header that is fail, since RFC 8617 knows no other word.
	Result      authres.Result
	ChainLength int      // how many sets; how many seals, where the chain is malformed
	Sealers     []string // d= of the seals of a chain that passes, oldest first
	Trusted     bool     // it passes and the newest sealer is a trusted one
	Reason      string
}

// IPRev is the result of RFC 8601 3: the client's name that leads back to its
// address.
type IPRev struct {
	Result authres.Result
	Name   string
	Reason string
}

// HELO says whether the name that the client gave in EHLO leads to its address. It is
// information: RFC 5321 4.1.4 forbids to refuse for it.
type HELO struct {
	Result authres.Result // none for what is no name, pass, fail, temperror
	Name   string
	Reason string
}
