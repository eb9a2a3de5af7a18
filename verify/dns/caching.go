package dns

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mdns "github.com/miekg/dns"
)

// Config is what a caching resolver is made of. The zero value works.
type Config struct {
	// Servers are the recursive servers to ask, as host:port; a missing port is 53.
	// Without any, those of /etc/resolv.conf, and without that 127.0.0.1:53.
	Servers []string
	// Timeout is how long one server may take for one question; default 2 s. How long
	// a look-up may take is for its context to say.
	Timeout time.Duration
	// Concurrency is how many questions may be on the way at once; default 256.
	Concurrency int
	// Entries is how many answers are remembered; default 10,000, in at most 32 MiB.
	Entries int
}

// Limits of what is believed of a time to live.
const (
	maxTTL         = time.Hour
	maxNegativeTTL = 5 * time.Minute
	maxCacheBytes  = 32 << 20
)

// rounds is how often the list of servers is gone through for one question.
const rounds = 2

// Caching is a Resolver that asks recursive servers over UDP and TCP and remembers
// their answers as long as their time to live says, an hour at most; that something
// does not exist as long as its zone says, five minutes at most; and errors never.
// Callers that ask the same at once share one question. It is safe for concurrent use;
// no goroutine outlives the look-up that started it.
type Caching struct {
	lookups
	servers []string
	timeout time.Duration
	slots   chan struct{}
	now     func() time.Time
	good    atomic.Uint32 // the server that answered last

	mu      sync.Mutex
	cache   *cache
	flights map[question]*flight
}

type question struct {
	name  string
	qtype uint16
}

// New makes a resolver. Nothing is asked before the first look-up.
func New(c Config) *Caching {
	if c.Timeout <= 0 {
		c.Timeout = 2 * time.Second
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 256
	}
	if c.Entries <= 0 {
		c.Entries = 10_000
	}
	r := &Caching{
		servers: servers(c.Servers), timeout: c.Timeout, slots: make(chan struct{}, c.Concurrency),
		now: time.Now, cache: newCache(c.Entries, maxCacheBytes), flights: map[question]*flight{},
	}
	r.lookups = lookups{r}
	return r
}

func servers(given []string) []string {
	list := make([]string, 0, len(given))
	for _, s := range given {
		if _, _, err := net.SplitHostPort(s); err != nil {
			s = net.JoinHostPort(strings.Trim(s, "[]"), "53")
		}
		list = append(list, s)
	}
	if len(list) > 0 {
		return list
	}
	if system, err := mdns.ClientConfigFromFile("/etc/resolv.conf"); err == nil {
		for _, s := range system.Servers {
			list = append(list, net.JoinHostPort(s, system.Port))
		}
	}
	if len(list) == 0 {
		list = []string{"127.0.0.1:53"}
	}
	return list
}

// flight is one question on its way, and who waits for it.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int
	rrs     []mdns.RR
	err     error
}

func (r *Caching) records(ctx context.Context, name string, qtype uint16) ([]mdns.RR, error) {
	if ctx.Err() != nil {
		return nil, timedOut(name)
	}
	q := question{name, qtype}
	r.mu.Lock()
	if a, ok := r.cache.get(q, r.now()); ok {
		r.mu.Unlock()
		return follow(a.rrs, name, qtype, a.exists)
	}
	f := r.flights[q]
	if f == nil {
		f = r.depart(q)
	}
	f.waiters++
	r.mu.Unlock()
	select {
	case <-f.done:
		return f.rrs, f.err
	case <-ctx.Done():
	}
	r.mu.Lock()
	f.waiters--
	last := f.waiters == 0
	if last && r.flights[q] == f {
		delete(r.flights, q)
	}
	r.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
	return nil, timedOut(name)
}

// depart sends a question off. The caller holds the lock.
func (r *Caching) depart(q question) *flight {
	ctx, cancel := context.WithCancel(context.Background())
	f := &flight{done: make(chan struct{}), cancel: cancel}
	r.flights[q] = f
	go func() {
		defer close(f.done)
		defer cancel()
		defer func() {
			// An answer is a stranger's bytes: a fault in reading it must not end us.
			if p := recover(); p != nil {
				f.rrs, f.err = nil, temporary(q.name, fmt.Sprintf("internal error (%T)", p))
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.flights[q] == f {
				delete(r.flights, q)
			}
		}()
		f.rrs, f.err = r.resolve(ctx, q)
	}()
	return f
}

// resolve asks the servers in turn, beginning with the one that answered last, and
// remembers the answer.
func (r *Caching) resolve(ctx context.Context, q question) ([]mdns.RR, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, timedOut(q.name)
	}
	err := error(timedOut(q.name))
	first := int(r.good.Load())
	for i := range rounds * len(r.servers) {
		at := (first + i) % len(r.servers)
		m, failure := r.exchange(ctx, r.servers[at], q)
		if failure != nil {
			err = failure
			if ctx.Err() != nil {
				break
			}
			continue
		}
		r.good.Store(uint32(at))
		a := answer{rrs: m.Answer, exists: m.Rcode == mdns.RcodeSuccess}
		rrs, missing := follow(a.rrs, q.name, q.qtype, a.exists)
		if ttl := lifetime(m, missing != nil); ttl > 0 {
			a.expires = r.now().Add(ttl)
			r.mu.Lock()
			r.cache.put(q, a, m.Len())
			r.mu.Unlock()
		}
		return rrs, missing
	}
	return nil, err
}

// lifetime says how long an answer may be remembered (RFC 1035 3.2.1, RFC 2308 5).
func lifetime(m *mdns.Msg, negative bool) time.Duration {
	ttl, limit := uint32(0), maxTTL
	known := false
	lower := func(t uint32) {
		if !known || t < ttl {
			ttl, known = t, true
		}
	}
	for _, rr := range m.Answer {
		lower(rr.Header().Ttl)
	}
	if negative {
		limit = maxNegativeTTL
		soa := false
		for _, rr := range m.Ns {
			if s, ok := rr.(*mdns.SOA); ok {
				lower(min(s.Hdr.Ttl, s.Minttl))
				soa = true
			}
		}
		if !soa {
			return 0 // without it a server vouches for nothing
		}
	}
	if ttl > 1<<31-1 {
		return 0 // RFC 2181 8
	}
	return min(time.Duration(ttl)*time.Second, limit)
}
