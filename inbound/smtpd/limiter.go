package smtpd

import (
	"net"
	"net/netip"
	"sync"

	"mxhook/inbound/status"
)

// Limiter counts the connections that are open, in all and for each peer, and the
// messages of each peer: an IPv4 address or an IPv6 /64. It is safe for concurrent use.
type Limiter struct {
	total, perPeer int
	messages       *rate

	mu    sync.Mutex
	open  int
	peers map[netip.Prefix]int
}

// NewLimiter returns a Limiter of at most total connections, perPeer from one peer, and
// messages that one peer begins in a minute. Zero means no limit.
func NewLimiter(total, perPeer, messages int) *Limiter {
	return &Limiter{total: total, perPeer: perPeer, messages: newRate(messages), peers: map[netip.Prefix]int{}}
}

// Open returns the number of connections now.
func (l *Limiter) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// enter counts a connection, or returns the Condition that forbids it.
func (l *Limiter) enter() *status.Condition {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total > 0 && l.open >= l.total {
		return status.TooManyConnections
	}
	l.open++
	return nil
}

// leave ends a connection that has entered.
func (l *Limiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

// take counts a connection for its peer, or returns the Condition that forbids it.
func (l *Limiter) take(ip netip.Addr) *status.Condition {
	p := peer(ip)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perPeer > 0 && p.IsValid() && l.peers[p] >= l.perPeer {
		return status.TooManyConnectionsPerPeer
	}
	l.peers[p]++
	return nil
}

// give ends what was taken.
func (l *Limiter) give(ip netip.Addr) {
	p := peer(ip)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peers[p]--; l.peers[p] == 0 {
		delete(l.peers, p)
	}
}

func peer(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.WithZone("").Prefix(bits)
	return p
}

// addrPort returns the peer's address, unmapped; zero values when it has none.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
