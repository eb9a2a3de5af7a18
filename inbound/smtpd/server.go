package smtpd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"mxhook/inbound/status"
)

// Server answers SMTP on the listeners that it is given.
type Server struct {
	cfg     Config
	tls     *tls.Config
	limiter *Limiter
	buffers sync.Pool // of *[dataBuffer]byte, for connections in their data phase

	ctx    context.Context // of the Handler's calls; ends with a hard stop
	cancel context.CancelFunc

	feed    *feed
	dialog  *smtp.Server
	started sync.Once
	shut    sync.Once
	talking sync.WaitGroup // go-smtp's accept loop

	mu        sync.Mutex
	stopping  chan struct{}
	turning   chan struct{} // has room for those who are turned away over TLS
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	running   sync.WaitGroup // Serve calls and connections
}

// New returns a Server that does nothing before Serve.
func New(cfg Config) *Server {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Observer == nil {
		cfg.Observer = nobody{}
	}
	if cfg.TLSMode == "" {
		cfg.TLSMode = TLSNone
		if cfg.TLS != nil {
			cfg.TLSMode = TLSStart
		}
	}
	s := &Server{
		cfg: cfg, limiter: cfg.Limiter, feed: newFeed(),
		stopping: make(chan struct{}), turning: make(chan struct{}, maxTurning), listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{},
	}
	s.buffers.New = func() any { return new([dataBuffer]byte) }
	if s.limiter == nil {
		s.limiter = NewLimiter(cfg.Limits.Connections, cfg.Limits.ConnectionsPerIP, cfg.Limits.MessagesPerIP)
	}
	if cfg.TLS != nil && cfg.TLSMode != TLSNone {
		s.tls = cfg.TLS.Clone()
		s.tls.MinVersion = cmp.Or(s.tls.MinVersion, tls.VersionTLS12)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.dialog = newDialogServer(cfg)
	return s
}

// Serve answers on ln until Stop, and closes it. It returns nil after Stop, else why
// it can't accept any more. It may be called for several listeners.
func (s *Server) Serve(ln net.Listener) error {
	if ok, err := s.add(ln); !ok {
		ln.Close()
		return err
	}
	defer s.running.Done()
	s.started.Do(func() {
		s.talking.Go(func() { _ = s.dialog.Serve(s.feed) }) // ends with the feed alone
	})
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			s.accept(nc)
		case s.isStopping():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("smtpd: listener %s: %w", s.cfg.Listener, err)
		default: // out of descriptors, or a peer that is gone already: never a reason to end
			s.cfg.Log.Error("accept failed", "listener", s.cfg.Listener, "error", err)
			s.pause(100 * time.Millisecond)
		}
	}
}

// add registers a listener; after Stop it doesn't, which is no error.
func (s *Server) add(ln net.Listener) (ok bool, err error) {
	if s.tls == nil && s.cfg.TLSMode != TLSNone {
		return false, fmt.Errorf("smtpd: listener %s: TLS mode %q needs a certificate", s.cfg.Listener, s.cfg.TLSMode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isStopping() {
		return false, nil
	}
	s.listeners[ln] = struct{}{}
	s.running.Add(1)
	return true, nil
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

func (s *Server) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.stopping:
	}
}

// accept counts a connection and starts it, or turns it away.
func (s *Server) accept(nc net.Conn) {
	c := newConn(s, nc, addrPort(nc.RemoteAddr()))
	refused := s.limiter.enter()
	if refused == nil && s.cfg.Store.Exhausted() {
		s.limiter.leave()
		refused = status.TooManyConnections
	}
	if refused != nil {
		c.refused(refused)
		s.turnAway(nc, refused)
		return
	}
	if !c.proxied { // the peer that counts is still to be named
		if refused := c.countPeer(); refused != nil {
			s.limiter.leave()
			s.turnAway(nc, refused)
			return
		}
	}
	s.mu.Lock()
	if s.isStopping() {
		s.mu.Unlock()
		c.uncount()
		s.turnAway(nc, status.ShuttingDown)
		return
	}
	s.conns[c] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	go s.serve(c)
}

// countPeer counts the connection for its peer, or returns why it can't be.
func (c *conn) countPeer() *status.Condition {
	refused := c.srv.limiter.take(c.session.RemoteIP)
	if c.counted = refused == nil; !c.counted {
		c.refused(refused)
	}
	return refused
}

// admitPeer is countPeer when the connection has begun.
func (c *conn) admitPeer() bool {
	refused := c.countPeer()
	if refused != nil && (c.srv.cfg.TLSMode != TLSImplicit || c.handshake()) {
		c.say(appendReply(nil, refused.Reply()))
		c.end()
	}
	return refused == nil
}

func (c *conn) uncount() {
	if c.counted {
		c.srv.limiter.give(c.session.RemoteIP)
	}
	c.srv.limiter.leave()
}

// refused tells that there was no room for a connection.
func (c *conn) refused(why *status.Condition) {
	c.srv.cfg.Observer.Replied(why)
	c.log.Info("connection refused", "condition", why.Name())
}

// serve owns the life of a connection: one dialogue, and after STARTTLS a second one
// over the same socket, of which nothing of the first one's state survives.
func (s *Server) serve(c *conn) {
	defer s.running.Done()
	defer func() {
		if v := recover(); v != nil { // in a handshake, so nothing can be said
			c.out = nil
			c.logPanic(v)
		}
		c.close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.uncount()
	}()
	if !c.identify() {
		return
	}
	s.cfg.Observer.ConnectionOpened(s.cfg.Listener)
	defer s.cfg.Observer.ConnectionClosed(s.cfg.Listener)
	if s.cfg.TLSMode == TLSImplicit && !c.handshake() {
		return
	}
	c.greet()
	for {
		d := newDialogue(c)
		s.feed.push(d)
		<-d.done
		if !c.upgrade || !c.handshake() {
			return
		}
		c.upgrade = false
		c.expect(nil) // the second dialogue has no greeting
	}
}

// Stop closes the listeners, tells idle sessions 421 and waits until every other one
// has had its reply. When ctx ends it cancels the Handler's calls, closes what is
// left and returns ctx's error. No goroutine of the Server is left when it returns.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.isStopping() {
		close(s.stopping)
	}
	for ln := range s.listeners {
		ln.Close()
	}
	for c := range s.conns {
		c.stop()
	}
	s.mu.Unlock()

	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		s.cancel()
		s.killAll()
		<-ended
	}
	s.cancel()
	s.feed.Close()
	s.talking.Wait()
	// It waits for go-smtp's goroutines, and panics when two call it at once.
	s.shut.Do(func() { _ = s.dialog.Shutdown(context.Background()) })
	return err
}

func (s *Server) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.raw.Close()
	}
}
