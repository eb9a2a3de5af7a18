// Package doctor checks what a public MX needs and says how to mend what is missing:
// DNS, certificates, listeners, sinks, the state folder, the clock. A file holds one kind
// of check.
//
// A check has a severity and words: what was found, why it matters, and the record, file
// or command that mends it. What can't be found out is Unknown, never OK. Nothing is
// delivered, changed or left behind. What strangers write, in DNS answers and over HTTP,
// is cut and stands without control characters.
//
// Sources: RFC 5321 5.1, RFC 2181 10.3 (MX), RFC 7505 (null MX), RFC 8461 (MTA-STS),
// RFC 8460 (TLS-RPT), RFC 7672 (DANE for SMTP), RFC 6890 (addresses).
package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/worker"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/verify/dns"
)

// Severity says how bad a finding is.
type Severity string

// The severities, from the best to the worst.
const (
	OK      Severity = "ok"
	Info    Severity = "info"    // nothing is wrong; worth knowing
	Warning Severity = "warning" // mail comes, but something should be mended
	Unknown Severity = "unknown" // it could not be found out
	Error   Severity = "error"   // mail is lost, refused or put off, or what was published does not work
)

// Check is one thing that was looked at. All texts are printable; only Fix may have
// several lines.
type Check struct {
	Name     string   `json:"name"`    // which check, such as "mx"
	Subject  string   `json:"subject"` // what was looked at, such as a domain or a listener's address
	Severity Severity `json:"severity"`
	Found    string   `json:"found"`
	Why      string   `json:"why"` // why it matters; "" where nothing is to be done
	Fix      string   `json:"fix"` // what mends it; "" where nothing is to be done

	section string // of the text for people
}

// Resolver asks the DNS, as package dns does it.
type Resolver interface {
	dns.Resolver
	LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error)
	LookupTLSA(ctx context.Context, name string) ([]dns.TLSA, error)
	LookupCNAME(ctx context.Context, name string) (string, error)
}

// Queue is what a source takes its events from.
type Queue interface {
	Properties(ctx context.Context) (worker.Properties, error)
}

// Options say what is checked, and with what.
type Options struct {
	Config   *config.Config
	Sinks    map[string]sinks.Sink // of the configuration, by name
	Queues   map[string]Queue      // of its sources, by name
	Resolver Resolver
	Domains  []string       // in lower-case A-labels; none: all that the routes serve
	Roots    *x509.CertPool // the authorities that senders trust; nil: the system's
	// PolicyAddress is the HOST:PORT at which MTA-STS policies are fetched; "" is port 443
	// of the addresses that DNS gives.
	PolicyAddress string
	// Timeout is for one group of checks; default 15 s.
	Timeout time.Duration
	Now     func() time.Time // default time.Now
	// Synchronized tells whether the system knows its clock to be right; the default asks
	// the system.
	Synchronized func() (synchronized, known bool)
}

// atOnce is how many domains are checked at the same time.
const atOnce = 16

// doctor is one run.
type doctor struct {
	Options
	domains []string
	noRoots bool // this system has no authorities to check certificates by
	public  bool // strangers' servers connect to us: there is a listener of kind mx

	certificates []*certificate
	addresses    []netip.Addr // of the hostname

	mu    sync.Mutex
	dates []dated
}

// Run makes all checks and returns them in a fixed order. It ends when they have, soon
// after ctx does.
func Run(ctx context.Context, o Options) Report {
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Synchronized == nil {
		o.Synchronized = synchronized
	}
	d := &doctor{Options: o, domains: o.Domains}
	if table, _ := routing.Compile(o.Config.Routes, routing.Options{Hostname: o.Config.Hostname}); table != nil && len(d.domains) == 0 {
		d.domains = table.Domains()
	}
	d.public = slices.ContainsFunc(o.Config.Listeners, func(l config.Listener) bool { return l.Kind == "mx" })
	if d.Roots == nil {
		pool, err := x509.SystemCertPool()
		d.noRoots = err != nil || pool.Equal(x509.NewCertPool())
	} else {
		d.noRoots = d.Roots.Equal(x509.NewCertPool())
	}
	d.loadCertificates()
	var r Report
	// What the host's addresses and certificates are, the others want to know.
	r.add(d.parallel(ctx, []group{{"Host " + o.Config.Hostname, o.Config.Hostname, d.host}}))
	r.add(d.parallel(ctx, d.groups()))
	r.add(d.parallel(ctx, []group{{"This machine", "clock", d.clock}}))
	slices.SortStableFunc(r.Checks, func(a, b Check) int { return rank(a.section) - rank(b.section) })
	return r
}

// groups are the checks that don't depend on each other.
func (d *doctor) groups() []group {
	var all []group
	if d.public {
		all = append(all, group{"Host " + d.Config.Hostname, d.Config.Hostname, d.tlsa})
	}
	for _, name := range d.domains {
		all = append(all, group{"Domain " + name, name, func(ctx context.Context, f *findings) { d.domain(ctx, f, name) }})
	}
	for _, c := range d.certificates {
		all = append(all, group{"Certificate " + c.files.CertFile, c.files.CertFile, func(_ context.Context, f *findings) { d.certificate(f, c) }})
	}
	for _, l := range d.Config.Listeners {
		all = append(all, group{"Listener " + l.Address, l.Address, func(ctx context.Context, f *findings) { d.listener(ctx, f, l) }})
	}
	for _, s := range d.Config.Sinks {
		all = append(all, group{sinksSection, s.Name, func(ctx context.Context, f *findings) { d.sink(ctx, f, s) }})
	}
	for _, q := range d.Config.Sources {
		all = append(all, group{sinksSection, q.Name, func(ctx context.Context, f *findings) { d.source(ctx, f, q.Name) }})
	}
	for _, r := range d.Config.Routes {
		if a, asks := d.Config.Accepts[r.Name]; asks {
			all = append(all, group{sinksSection, r.Name, func(ctx context.Context, f *findings) { d.accept(ctx, f, a) }})
		}
	}
	return append(all,
		group{"This machine", d.Config.State, func(_ context.Context, f *findings) { d.state(f) }},
		group{"This machine", "limits", func(_ context.Context, f *findings) { d.openFiles(f) }})
}

// group is a number of checks of one subject, one after the other.
type group struct {
	section, subject string
	run              func(ctx context.Context, f *findings)
}

// parallel runs groups at the same time and returns what they found, in their order.
func (d *doctor) parallel(ctx context.Context, groups []group) []Check {
	found := make([]findings, len(groups))
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, g := range groups {
		found[i] = findings{section: printable(g.section), subject: printable(g.subject)}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, d.Timeout)
			defer cancel()
			g.run(ctx, &found[i])
		})
	}
	running.Wait()
	var all []Check
	for _, f := range found {
		all = append(all, f.checks...)
	}
	return all
}

// dialer connects to servers of ours and of others.
var dialer = net.Dialer{Timeout: 5 * time.Second}
