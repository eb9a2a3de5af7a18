package bridge

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/metrics"
	"mxhook/cmd/internal/worker"
	"mxhook/inbound/smtpd"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/sinks/circuit"
	"mxhook/sinks/delivery"
	"mxhook/sinks/ledger"
	"mxhook/sinks/spool"
	"mxhook/verify"
	"mxhook/verify/dns"
)

// parts are what a configuration is made into. They live as long as a transaction
// uses them, and are closed by the last release.
type parts struct {
	examiner
	config    *config.Config
	table     *routing.Table
	reject    config.Reject
	lookups   time.Duration         // all of a message's questions together
	accepts   map[string]acceptance // of the routes that ask
	sinks     map[string]sinks.Sink
	sources   map[string]config.Source
	objects   worker.Objects // what messages of sources point to
	delivery  delivery.Config
	deliverer *delivery.Deliverer
	ledger    *ledger.Ledger // nil when it is off
	spool     *spool.Spool
	spools    bool          // a route has mode: spool
	budget    time.Duration // how long a sender waits after the final dot
	metrics   *metrics.Metrics
	circuits  *circuit.Set
	users     atomic.Int64
	close     func()
}

// build makes the parts of a configuration. It opens no connection; it opens the
// ledger and the spool if they are not open yet.
func (b *Bridge) build(c *config.Config) (*parts, error) {
	table, faults := routing.Compile(c.Routes, routing.Options{Hostname: c.Hostname})
	if table == nil {
		return nil, errors.New(faults[0].String())
	}
	book, err := b.openLedger(c)
	if err != nil {
		return nil, err
	}
	sp, err := b.openSpool(c)
	if err != nil {
		return nil, err
	}
	p := &parts{
		examiner: examiner{hostname: c.Hostname, verifier: newVerifier(c, b.options), relays: c.Verify.TrustedRelays, sealers: len(c.Verify.TrustedARCSealers) > 0, verified: b.metrics.Verified},
		config:   c, table: table, reject: c.Verify.Reject, lookups: c.Verify.Timeout, metrics: b.metrics, circuits: b.circuits, ledger: book, spool: sp, budget: c.Delivery.Budget,
		delivery: delivery.Config{
			Budget: c.Delivery.Budget, Log: b.log, Observer: b.metrics, Dead: sp.Bury, Spool: sp.Put,
			Ledger: book, Suppressed: b.metrics.Suppressed,
		},
	}
	p.deliverer = delivery.New(p.delivery)
	if p.sinks, err = b.buildSinks(c.Sinks); err != nil {
		return nil, err
	}
	p.sources, p.objects = sourcesOf(c), bucketsOf(p.sinks)
	if p.accepts, err = b.buildAccepts(c); err != nil {
		return nil, err
	}
	p.spools = slices.ContainsFunc(c.Routes, func(r routing.Rule) bool { return r.Spool })
	p.users.Store(1)
	b.retired.Add(1)
	p.close = sync.OnceFunc(func() { go b.retire(p) })
	b.countFromZero(c)
	b.configureCircuits(c)
	return p, nil
}

func newVerifier(c *config.Config, o Options) *verify.Verifier {
	resolver := o.Resolver
	if resolver == nil {
		var servers []string
		for _, a := range c.Verify.Resolver {
			servers = append(servers, a.String())
		}
		resolver = dns.New(dns.Config{Servers: servers})
	}
	return verify.New(verify.Config{
		Resolver: resolver, AuthservID: c.Hostname, Timeout: c.Verify.Timeout, Now: o.Now,
		TrustedSealers: c.Verify.TrustedARCSealers,
	})
}

// sinksNamed returns the sinks of a route.
func (p *parts) sinksNamed(names []string) []sinks.Sink {
	var list []sinks.Sink
	for _, n := range names {
		if s := p.sinks[n]; s != nil {
			list = append(list, s)
		}
	}
	return list
}

// usable returns why no message can be taken now: the ledger, or the spool where a
// route needs it for each message, can't be written. The error wraps status.NoStorage.
func (p *parts) usable() error {
	if p.ledger != nil {
		if err := p.ledger.Usable(); err != nil {
			return err
		}
	}
	if p.spools {
		return p.spool.Usable()
	}
	return nil
}

// start begins what sinks do beside deliveries.
func (p *parts) start() {
	for _, s := range p.sinks {
		if c, ok := s.(interface{ Start() }); ok {
			c.Start()
		}
	}
}

// release ends one use.
func (p *parts) release() {
	if p.users.Add(-1) == 0 {
		p.close()
	}
}

// countFromZero makes the series of the configuration's names exist.
func (b *Bridge) countFromZero(c *config.Config) {
	for _, s := range c.Sinks {
		b.metrics.AddSink(s.Name)
	}
	for _, r := range c.Routes {
		b.metrics.AddRoute(r.Name)
	}
	for _, s := range c.Sources {
		b.metrics.AddSource(s.Name, worker.Results()...)
	}
	for _, l := range c.Listeners {
		b.metrics.AddListener(l.Address)
	}
}

func limitsOf(l config.Limits) smtpd.Limits {
	return smtpd.Limits{
		MessageSize: l.MessageSize, Recipients: l.Recipients, CommandTime: l.CommandTime, MinRate: l.MinRate,
		TransactionTime: l.TransactionTime, Errors: l.Errors,
	}
}
