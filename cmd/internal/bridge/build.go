package bridge

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/metrics"
	"mxhook/inbound/smtpd"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/sinks/circuit"
	"mxhook/sinks/delivery"
	"mxhook/sinks/dir"
	"mxhook/sinks/ledger"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/spool"
	"mxhook/sinks/webhook"
	"mxhook/verify"
	"mxhook/verify/dns"
)

// parts are what a configuration is made into. They live as long as a transaction
// uses them, and are closed by the last release.
type parts struct {
	examiner
	table     *routing.Table
	reject    config.Reject
	lookups   time.Duration         // all of a message's questions together
	accepts   map[string]acceptance // of the routes that ask
	sinks     map[string]sinks.Sink
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
		table:    table, reject: c.Verify.Reject, lookups: c.Verify.Timeout, metrics: b.metrics, circuits: b.circuits, ledger: book, spool: sp, budget: c.Delivery.Budget,
		sinks: map[string]sinks.Sink{},
		delivery: delivery.Config{
			Budget: c.Delivery.Budget, Log: b.log, Observer: b.metrics, Dead: sp.Bury, Spool: sp.Put,
			Ledger: book, Suppressed: b.metrics.Suppressed,
		},
	}
	p.deliverer = delivery.New(p.delivery)
	for _, sc := range c.Sinks {
		s, err := b.buildSink(sc)
		if err != nil {
			return nil, err
		}
		p.sinks[sc.Name] = s
	}
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

// buildSink makes one sink.
func (b *Bridge) buildSink(c config.Sink) (sinks.Sink, error) {
	switch c.Type {
	case "webhook":
		return b.buildWebhook(c.Name, c.Webhook)
	case "dir":
		return dir.New(dir.Config{
			Name: c.Name, Path: c.Dir.Path, Log: b.log, Observer: b.metrics,
			Include: payload.Include{Attachments: "inline", Raw: "none", HTML: true},
		})
	}
	return nil, fmt.Errorf("sink %q: type %q is not available in this version", c.Name, c.Type)
}

func (b *Bridge) buildWebhook(name string, c *config.Webhook) (sinks.Sink, error) {
	tlsConfig, err := clientTLS(c.TLS)
	if err != nil {
		return nil, fmt.Errorf("sink %q: %w", name, err)
	}
	kind, _ := formats.Find(c.Format)
	options := formats.Options{Include: payload.Include{Attachments: c.Include.Attachments, Raw: c.Include.Raw, HTML: c.Include.HTML}}
	if kind.Secret != formats.StandardWebhooks && len(c.Secrets) > 0 {
		options.Secret = string(c.Secrets[0])
	}
	format, err := formats.New(c.Format, options)
	if err != nil {
		return nil, fmt.Errorf("sink %q: %w", name, err)
	}
	wc := webhook.Config{
		Name: name, URL: string(c.URL), Format: format, Headers: map[string]string{},
		Timeout: c.Timeout, Attempts: c.Attempts, Concurrency: c.Concurrency, FanOut: sinks.FanOut(c.FanOut),
		RejectOn: c.RejectOn, TLS: tlsConfig, Version: cmp.Or(b.options.Version, "devel"), Log: b.log,
		Observer: b.circuits.Observe(b.metrics),
	}
	for header, value := range c.Headers {
		wc.Headers[header] = string(value)
	}
	for _, s := range c.Secrets {
		if kind.Secret != formats.StandardWebhooks {
			break
		}
		key, err := webhook.ParseSecret(string(s))
		if err != nil {
			return nil, fmt.Errorf("sink %q: secret: %w", name, err)
		}
		wc.Secrets = append(wc.Secrets, key)
	}
	s, err := webhook.New(wc)
	if err != nil {
		return nil, err
	}
	return b.circuits.Guard(s), nil
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
