package verify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mxhook/verify/arc"
	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dmarc"
	"mxhook/verify/dns"
	"mxhook/verify/iprev"
	"mxhook/verify/spf"
	"mxhook/verify/why"
)

// DefaultTimeout is Config.Timeout's default.
const DefaultTimeout = 10 * time.Second

// MaxQuestions is how many DNS questions one message may cost.
const MaxQuestions = 150

// Config is what a Verifier is made of.
type Config struct {
	// Resolver answers all look-ups. It is needed.
	Resolver dns.Resolver
	// AuthservID is our name in the Authentication-Results and Received-SPF fields.
	AuthservID string
	// TrustedSealers are the domains whose ARC seals count for FromVerified.
	TrustedSealers []string
	// Timeout is for all of a message's look-ups together; 0 is DefaultTimeout.
	Timeout time.Duration
	// Now is the clock for signatures; nil is time.Now.
	Now func() time.Time
}

// Verifier evaluates all methods for a message. It is safe for concurrent use and
// keeps nothing between messages.
type Verifier struct {
	config  Config
	sealers arc.Sealers
}

// New makes a Verifier. It has no side effects.
func New(c Config) *Verifier {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Verifier{config: c, sealers: arc.NewSealers(c.TrustedSealers)}
}

// run is the verification of one message.
type run struct {
	*Verifier
	message  Message
	resolver dns.Resolver
	// parent is the caller's context, for the work on the message's bytes. The methods'
	// own end with the time for look-ups.
	parent context.Context
	contexts

	header  []dkim.Field
	body    int64
	readErr error

	spf, helo spf.Evaluation
	dkim      []dkim.Signature
	policy    *dmarc.Policy
	policyErr error
	from      string // the author's domain
	noFrom    string // why there is none
	iprev     IPRev
	name      HELO
	chain     *arc.Chain // nil after a fault
	bodies    []*dkim.Check
	oldest    int // oldest-pass of a chain that passes
	now       time.Time

	vouched bool // by the resolver, for the answers that led to the policy

	started sync.WaitGroup
	mu      sync.Mutex
	fault   error
}

// contexts are those of the methods' look-ups, each with its section of package why.
type contexts struct {
	inSPF, inSPFHelo, inDKIM, inDMARC, inARC, inIPRev, inHELO, inFrom context.Context
}

// open opens the sections in the order in which they are printed.
func open(lookups context.Context) contexts {
	return contexts{
		inSPF: why.Section(lookups, "SPF (MAIL FROM)"), inSPFHelo: why.Section(lookups, "SPF (HELO)"),
		inDKIM: why.Section(lookups, "DKIM"), inDMARC: why.Section(lookups, "DMARC"), inARC: why.Section(lookups, "ARC"),
		inIPRev: why.Section(lookups, "iprev"), inHELO: why.Section(lookups, "EHLO name"),
		inFrom: why.Section(lookups, "From verified"),
	}
}

// Verify gives what is known of the message's origin. It never fails: what could not
// be learned is a temperror in its place. Methods run at the same time; a resolver
// that never answers costs Timeout. The content must stay readable until it returns.
func (v *Verifier) Verify(ctx context.Context, m Message) *Results {
	lookups, cancel := context.WithTimeout(ctx, v.config.Timeout-m.Spent)
	defer cancel()
	r := &run{
		Verifier: v, message: m, parent: ctx, contexts: open(lookups),
		resolver: dns.WithBudget(v.config.Resolver, MaxQuestions), now: v.config.Now(),
	}
	r.message.RemoteIP = m.RemoteIP.Unmap().WithZone("")
	r.guard("header", r.readHeader, func() { r.noFrom = "internal error" })
	r.guard("arc", r.readARC, r.noChain)
	if len(r.bodies) > 0 {
		r.started.Go(func() { r.guard("arc", r.fetchARC, r.noChain) })
	}
	r.start(r.inSPF, "spf", r.evaluateSPF, func() { r.spf = failed(r.spf) })
	r.start(r.inSPFHelo, "spf helo", r.evaluateHELO, func() { r.helo = failed(r.helo) })
	r.start(r.inIPRev, "iprev", r.evaluateIPRev, func() { r.iprev = IPRev{Result: authres.TempError, Reason: reasonInternal} })
	r.start(r.inHELO, "helo", r.evaluateName, func() { r.name.Result, r.name.Reason = authres.TempError, reasonInternal })
	r.start(r.inDMARC, "dmarc", r.discoverPolicy, func() { r.policyErr = dmarc.ErrTemporary })
	r.guard("dkim", r.verifyDKIM, func() { r.dkim = []dkim.Signature{{Result: authres.TempError, Reason: reasonInternal}} })
	r.started.Wait()
	results := &Results{}
	r.guard("results", func() { r.join(results) }, func() {
		results.DMARC = DMARC{Result: authres.TempError, Disposition: dmarc.None, Reason: reasonInternal}
		results.FromVerified, results.FromVerifiedBy = false, ""
	})
	// The chain goes last: its questions can take nothing from the other methods.
	r.guard("arc", func() { r.joinARC(results) }, func() {
		results.ARC = ARC{Result: authres.TempError, Sealers: []string{}, Reason: reasonInternal}
		if results.FromVerifiedBy == "arc" {
			results.FromVerified, results.FromVerifiedBy = false, ""
		}
	})
	r.guard("reason", func() { r.explain(results) }, func() { results.FromVerifiedReason = reasonInternal })
	r.guard("reason", func() { r.conclude(results) }, func() {})
	results.Header = authres.Header(v.config.AuthservID, r.statements(results))
	results.ReceivedSPF = spf.Received(r.spf, spf.Trace{
		Receiver: v.config.AuthservID, IP: r.message.RemoteIP, HELO: m.HELO, Sender: r.sender(),
	})
	results.Fault = r.fault
	return results
}

const reasonInternal = "internal error"

func failed(e spf.Evaluation) spf.Evaluation {
	return spf.Evaluation{Result: authres.TempError, Domain: e.Domain, Reason: reasonInternal}
}

// start runs one method: here if the resolver remembers all that it asks for, else
// beside the others. Where all is known, goroutines are the most of its cost.
func (r *run) start(ctx context.Context, name string, method func(context.Context), recovered func()) {
	if !dns.FromMemory(ctx, r.resolver, func(ctx context.Context) { r.guard(name, func() { method(ctx) }, recovered) }) {
		r.started.Go(func() { r.guard(name, func() { method(ctx) }, recovered) })
	}
}

// guard runs one method. A panic ends it alone: the message is more than one method,
// and a message must not end the process.
func (r *run) guard(name string, method, recovered func()) {
	defer func() {
		if p := recover(); p != nil {
			recovered()
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.fault == nil {
				// The value may hold text of the message; its type is enough to find it.
				r.fault = fmt.Errorf("verify: %s panicked: %T", name, p)
			}
		}
	}()
	method()
}

func (r *run) readHeader() {
	r.header, r.body, r.readErr = dkim.ReadHeader(r.message.Content, r.message.Size)
	if r.readErr == nil {
		r.from, r.noFrom = author(r.header)
		if r.from == "" {
			rule := "RFC 5322 3.6.2 wants one From field, and DMARC one author in it"
			if r.noFrom == reasonUnclearEnd {
				rule = "Who puts such a line before a signed message has his own text read as what was signed; a program that writes its fields wrongly does it without intent, and its operator can mend that"
			}
			why.Say(r.inDMARC, "no author's domain: %s. %s", r.noFrom, rule)
		}
	}
}

// unasked is why the client's address says nothing of the sender, or "".
func (m *Message) unasked() string {
	switch {
	case m.BehindRelay:
		return "behind a relay"
	case m.Authenticated:
		return "authenticated submission"
	}
	return ""
}

func sayUnasked(ctx context.Context, reason string) {
	why.Say(ctx, "not checked: %s; the client's address says nothing of the sender then", reason)
}

func (r *run) evaluateSPF(ctx context.Context) {
	m := r.message
	if m.SPF != nil {
		r.spf = *m.SPF
		return
	}
	if m.MailFromDomain == "" && m.MailFromLocal == "" {
		m.MailFromDomain = m.HELO
		why.Say(r.inSPF, "the reverse-path is null, and the EHLO name takes its place (RFC 7208 2.4)")
	}
	r.spf.Domain, _ = dns.Domain(m.MailFromDomain)
	if reason := m.unasked(); reason != "" {
		r.spf.Result, r.spf.Reason = authres.None, reason
		sayUnasked(ctx, reason)
		return
	}
	r.spf = spf.Check(ctx, r.resolver, r.client(), m.MailFromLocal, m.MailFromDomain)
}

func (r *run) evaluateHELO(ctx context.Context) {
	m := r.message
	r.helo.Domain, _ = dns.Domain(m.HELO)
	if reason := m.unasked(); reason != "" {
		r.helo.Result, r.helo.Reason = authres.None, reason
		sayUnasked(ctx, reason)
		return
	}
	r.helo = spf.CheckHELO(ctx, r.resolver, r.client())
}

// client is what SPF needs to know of it.
func (r *run) client() spf.Client {
	return spf.Client{IP: r.message.RemoteIP, HELO: r.message.HELO, Receiver: r.config.AuthservID, Now: r.now}
}

func (r *run) evaluateIPRev(ctx context.Context) {
	if reason := r.message.unasked(); reason != "" {
		r.iprev.Result, r.iprev.Reason = authres.None, reason
		sayUnasked(ctx, reason)
		return
	}
	e := iprev.Check(ctx, r.resolver, r.message.RemoteIP)
	r.iprev = IPRev{Result: e.Result, Name: e.Name, Reason: e.Reason}
}

func (r *run) evaluateName(ctx context.Context) {
	m := r.message
	if reason := m.unasked(); reason != "" {
		r.name.Result, r.name.Reason = authres.None, reason
		sayUnasked(ctx, reason)
		return
	}
	e := iprev.CheckName(ctx, r.resolver, m.RemoteIP, m.HELO)
	r.name = HELO{Result: e.Result, Name: e.Name, Reason: e.Reason}
}

func (r *run) discoverPolicy(ctx context.Context) {
	if r.from != "" {
		ctx, seen := dns.Observe(ctx)
		r.policy, r.policyErr = dmarc.Discover(ctx, r.resolver, r.from)
		r.vouched = seen.Authenticated()
	}
}

func (r *run) verifyDKIM() {
	if r.readErr != nil {
		return
	}
	m := dkim.Message{Header: r.header, Content: r.message.Content, Body: r.body, Size: r.message.Size}
	r.dkim = dkim.Verify(why.In(r.parent, r.inDKIM), r.inDKIM, r.resolver, m, r.now, r.bodies...)
}
