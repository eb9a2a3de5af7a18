package smtpd

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"

	"mxhook/inbound"
)

// pipeListener is a network in memory: each Write of a client is one Read of the
// server, and time may be virtual.
type pipeListener struct {
	ch   chan net.Conn
	done chan struct{}
	once sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{ch: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ch:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// piped is a Server on a pipeListener.
type piped struct {
	*Server
	h  *handler
	ln *pipeListener
}

// startPiped runs a Server; stop ends it and checks what is left.
func startPiped(t testing.TB, change func(*Config)) (p *piped, stop func()) {
	p = &piped{h: &handler{}, ln: newPipeListener()}
	cfg := Config{
		Listener: "pipe", Hostname: "mx.test", TLS: serverTLS(), Store: inbound.NewStore(t.TempDir(), 1<<20), Handler: p.h,
		Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	p.Server = New(cfg)
	served := make(chan error, 1)
	go func() { served <- p.Serve(p.ln) }()
	return p, func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, open := p.h.count(); open != 0 || cfg.Store.InMemory() != 0 || p.limiter.Open() != 0 {
			t.Errorf("left: %d transactions, %d octets, %d connections", open, cfg.Store.InMemory(), p.limiter.Open())
		}
	}
}

// listener collects what the server says to one client.
type listener struct {
	nc     net.Conn
	mu     sync.Mutex
	said   bytes.Buffer
	closed chan struct{}
}

func (p *piped) dial() *listener { return p.connect(net.Pipe()) }

// dialFrom is dial from an address of IP and port.
func (p *piped) dialFrom(addr string) *listener {
	client, server := net.Pipe()
	return p.connect(client, addressed{server, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))})
}

type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }

func (p *piped) connect(client, server net.Conn) *listener {
	p.ln.ch <- server
	l := &listener{nc: client, closed: make(chan struct{})}
	go func() {
		defer close(l.closed)
		b := make([]byte, 4096)
		for {
			n, err := client.Read(b)
			l.mu.Lock()
			l.said.Write(b[:n])
			l.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return l
}

func (l *listener) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.String()
}

// send writes each piece by itself; a server that has closed is no error.
func (l *listener) send(pieces ...string) {
	for _, s := range pieces {
		if _, err := io.WriteString(l.nc, s); err != nil {
			return
		}
	}
}

// finish hangs up and waits until the server has.
func (l *listener) finish() string {
	l.nc.Close()
	<-l.closed
	return l.heard()
}
