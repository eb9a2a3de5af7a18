// Package bridge joins the parts into the pipeline: receive, verify, parse, route,
// deliver, answer. transaction.go has that way on one screen; build.go makes the
// parts from a configuration by a plain switch; this file starts and stops them.
//
// A Bridge is safe for concurrent use. A transaction keeps the configuration of its
// MAIL command, over any reload.
package bridge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mxhook/cmd/internal/admin"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/control"
	"mxhook/cmd/internal/metrics"
	"mxhook/cmd/internal/page"
	"mxhook/cmd/internal/recent"
	"mxhook/cmd/internal/worker"
	"mxhook/inbound"
	"mxhook/inbound/smtpd"
	"mxhook/sinks/circuit"
	"mxhook/sinks/ledger"
	"mxhook/sinks/spool"
	"mxhook/verify/dns"
)

// memoryThreshold is how many octets of one message are held in memory; a larger
// one goes to a file.
const memoryThreshold = 1 << 20

// Options are what a configuration file does not say.
type Options struct {
	Log      *slog.Logger
	Version  string
	Commit   string
	Resolver dns.Resolver     // instead of verify.resolver
	Now      func() time.Time // the clock of signatures; nil is the system's
	// Queue opens the queue of a source, in place of the one of its type; nil: of its type.
	Queue func(c config.Source) (worker.Queue, error)
	// Page makes what stands on the admin address: page.Make, or nil for nothing. A program
	// that has no admin address so has no templates in it, which would add a half to its
	// size: with them the linker keeps every exported method.
	Page func(page.Config) admin.Page
}

// Bridge is the running whole.
type Bridge struct {
	options   Options
	log       *slog.Logger
	store     *inbound.Store
	metrics   *metrics.Metrics
	recent    *recent.Store // of the page; nil without one
	circuits  *circuit.Set
	deferrals *deferrals
	waits     *deferrals // for a verdict
	acceptors acceptors
	admin     *admin.Server
	control   *control.Server // nil before Start
	config    *config.Config
	started   time.Time
	listeners []*listener
	workers   []*worker.Worker
	queues    []worker.Queue // of these
	serving   sync.WaitGroup
	ready     atomic.Bool
	draining  atomic.Bool

	mu      sync.Mutex // guards current, ledger and spool
	current *parts
	ledger  *ledger.Ledger // nil until a configuration wants one
	spool   *spool.Spool
	retired sync.WaitGroup // parts that are still to be closed
}

type listener struct {
	server *smtpd.Server
	ln     net.Listener
}

// New builds the parts and opens nothing but the state folder with the ledger and the
// spool in it, which Stop closes, or a Start that fails. The error names what can't be built.
func New(c *config.Config, o Options) (*Bridge, error) {
	b := &Bridge{options: o, log: o.Log, config: c, started: time.Now()}
	b.store = inbound.NewBoundedStore(inbound.StoreConfig{
		Dir: filepath.Join(c.State, "tmp"), Threshold: memoryThreshold, Memory: c.Limits.Memory, Reserve: c.Limits.DiskReserve,
	})
	if err := b.store.Prepare(); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	b.metrics = metrics.New(o.Version, o.Commit, runtime.Version(), b.store.InMemory)
	if c.Admin.Address != "" {
		b.recent = recent.New(recent.Limits{})
	}
	b.circuits = b.newCircuits()
	b.deferrals, b.waits = newDeferrals(), newDeferrals()
	b.acceptors.known = map[acceptorKey]*acceptor{}
	b.metrics.Deferred(func() time.Duration { return b.deferrals.oldest(time.Now()) })
	p, err := b.build(c)
	if err != nil {
		b.closeSpool()
		b.closeLedger()
		return nil, err
	}
	b.current = p
	if c.Admin.Address != "" {
		ac := admin.Config{Address: c.Admin.Address, Token: string(c.Admin.Token), Metrics: b.metrics.Handler(), Ready: b.notReady}
		if o.Page != nil {
			ac.Page = o.Page(page.Config{Recent: b.recent, Bridge: b})
		}
		b.admin = admin.New(ac)
	}
	return b, nil
}

// Start listens. After an error nothing listens.
func (b *Bridge) Start() error {
	err := b.listen()
	if err == nil {
		err = b.openSources()
	}
	if err == nil && b.admin != nil {
		err = b.admin.Start()
	}
	if err != nil {
		for _, l := range b.listeners {
			l.ln.Close()
		}
		b.closeSpool()
		b.closeLedger()
		return err
	}
	b.control = control.NewServer(b.config.State, b, b.log)
	if err := b.control.Start(); err != nil { // mail goes its way without it
		b.log.Warn("no control socket, so mxhook replay can't ask this process", "error", err)
	}
	for _, l := range b.listeners {
		b.serving.Go(func() {
			if err := l.server.Serve(l.ln); err != nil {
				b.log.Error("listener failed", "address", l.ln.Addr().String(), "error", err)
			}
		})
		b.log.Info("listening", "address", l.ln.Addr().String(), "version", b.options.Version)
	}
	if b.admin != nil {
		b.log.Info("admin address", "address", b.admin.Addr().String())
	}
	b.current.start()
	b.spool.Start()
	for _, w := range b.workers {
		w.Start()
	}
	b.ready.Store(true)
	if err := b.store.Admit(0); err != nil {
		b.log.Warn("no mail is taken until there is room (452 4.3.1): make room on the disk, or lower limits.disk_reserve", "error", err)
	}
	return nil
}

func (b *Bridge) listen() error {
	limiter := smtpd.NewLimiter(b.connections(), b.config.Limits.ConnectionsPerIP, b.config.Limits.MessagesPerIP)
	sockets := inheritedSockets(os.Getenv, os.Getpid())
	for _, lc := range b.config.Listeners {
		tlsConfig, err := serverTLS(lc.TLS, b.log.With("listener", lc.Address))
		if err != nil {
			return fmt.Errorf("listener %s: %w", lc.Address, err)
		}
		authenticate, err := authenticator(lc)
		if err != nil {
			return fmt.Errorf("listener %s: %w", lc.Address, err)
		}
		opened, err := sockets.listenAt(lc.Address)
		if err != nil {
			return fmt.Errorf("listener %s: %w", lc.Address, err)
		}
		server := smtpd.New(smtpd.Config{
			Listener: lc.Address, Hostname: b.config.Hostname,
			TLS: tlsConfig, TLSMode: smtpd.TLSMode(lc.TLS.Mode), LMTP: lc.Kind == "lmtp", Proxies: lc.Proxies,
			Authenticate: authenticate, AuthRequired: lc.Kind == "submission",
			Limits: limitsOf(b.config.Limits), Limiter: limiter,
			Store: b.store, Handler: b, Log: b.log, Observer: b.metrics,
		})
		for _, ln := range opened {
			b.listeners = append(b.listeners, &listener{ln: ln, server: server})
		}
	}
	for _, name := range sockets.unused() {
		b.log.Warn("an inherited socket is used by no listener", "name", name)
	}
	return nil
}

// Addrs returns where the listeners listen, in the order of the configuration; a
// listener on inherited sockets may have several.
func (b *Bridge) Addrs() []net.Addr {
	addrs := make([]net.Addr, 0, len(b.listeners))
	for _, l := range b.listeners {
		addrs = append(addrs, l.ln.Addr())
	}
	return addrs
}

// AdminAddr returns where the admin address listens, nil if it is off.
func (b *Bridge) AdminAddr() net.Addr {
	if b.admin == nil {
		return nil
	}
	return b.admin.Addr()
}

// notReady returns why no mail is taken, or "".
func (b *Bridge) notReady() string {
	switch {
	case b.draining.Load():
		return "draining"
	case !b.ready.Load():
		return "starting"
	}
	return ""
}

// Stop closes the listeners, lets running transactions end with their true reply,
// waits for late attempts, and ends. When ctx ends first, sessions are cut and its
// error is returned.
func (b *Bridge) Stop(ctx context.Context) error {
	b.draining.Store(true)
	b.log.Info("draining")
	var errs []error
	var stopping sync.WaitGroup
	for _, l := range b.listeners {
		stopping.Go(func() {
			if err := l.server.Stop(ctx); err != nil {
				b.log.Warn("sessions were cut", "address", l.ln.Addr().String())
			}
		})
	}
	stopped := make([]error, len(b.workers))
	for i, w := range b.workers {
		stopping.Go(func() { stopped[i] = w.Stop(ctx) })
	}
	if b.control != nil {
		stopping.Go(func() { b.control.Drain(ctx) })
	}
	stopping.Wait()
	b.serving.Wait()
	errs = append(errs, stopped...)
	for _, q := range b.queues {
		if c, ok := q.(interface{ Close() }); ok {
			c.Close()
		}
	}
	errs = append(errs, b.spool.Stop(ctx), b.stopParts(ctx))
	if b.control != nil { // while the state folder is still ours
		errs = append(errs, b.control.Stop(ctx))
	}
	b.keepAccepts(nil)
	b.closeSpool()
	b.closeLedger()
	if b.admin != nil {
		errs = append(errs, b.admin.Stop(ctx))
	}
	b.log.Info("stopped")
	return errors.Join(errs...)
}

// stopParts ends the current parts and waits for all that were replaced.
func (b *Bridge) stopParts(ctx context.Context) error {
	b.mu.Lock()
	b.current.release()
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		b.retired.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("attempts are still running: %w", ctx.Err())
	}
}

func (b *Bridge) newID() string { return strings.ToLower(rand.Text()) }
