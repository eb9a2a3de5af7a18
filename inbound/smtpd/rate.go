package smtpd

import (
	"net/netip"
	"sync"
	"time"
)

// maxRated is how many peers a rate remembers. Beyond it some are forgotten, whom that
// gives a fresh start: memory comes before exactness.
const maxRated = 100_000

// rate bounds how many messages a peer begins: perMinute at once, and then one each
// time that a perMinute-th of a minute has gone by. It is safe for concurrent use.
type rate struct {
	perMinute int // 0: no limit
	most      int // peers that are remembered

	mu    sync.Mutex
	peers map[netip.Prefix]time.Time // when the peer's allowance will be whole again
	swept time.Time
}

func newRate(perMinute int) *rate {
	return &rate{perMinute: perMinute, most: maxRated, peers: map[netip.Prefix]time.Time{}}
}

// allow counts a message of ip at now, or tells that it is one too many. A peer
// without an address has no limit.
func (r *rate) allow(ip netip.Addr, now time.Time) bool {
	p := peer(ip)
	if r.perMinute <= 0 || !p.IsValid() {
		return true
	}
	each := time.Minute / time.Duration(r.perMinute)
	r.mu.Lock()
	defer r.mu.Unlock()
	whole, known := r.peers[p]
	if whole.Before(now) {
		whole = now
	}
	whole = whole.Add(each)
	if whole.Sub(now) > each*time.Duration(r.perMinute) {
		return false
	}
	if !known && len(r.peers) >= r.most {
		r.forget(now)
	}
	r.peers[p] = whole
	return true
}

// forget makes room for one more peer: those whose allowance is whole are as good as
// new; they are looked for once a second at most, since that takes time.
func (r *rate) forget(now time.Time) {
	if now.Sub(r.swept) >= time.Second {
		r.swept = now
		for p, whole := range r.peers {
			if whole.Before(now) {
				delete(r.peers, p)
			}
		}
	}
	for p := range r.peers {
		if len(r.peers) < r.most {
			return
		}
		delete(r.peers, p)
	}
}
