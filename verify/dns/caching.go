package dns

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Config is what a caching resolver is made of. The zero value works.
type Config struct {
	// Servers are the recursive servers to ask, as host:port; a missing port is 53, an
	// IPv6 address may have a zone. Without any, those of /etc/resolv.conf, which is read
	// again when it changes, and without that 127.0.0.1:53.
	//
	// A server is believed that DNSSEC vouches for an answer (the AD bit) if it is at a
	// loopback address, or if resolv.conf says "options trust-ad". Anybody on the way to
	// another one could set that bit (RFC 4035 4.9.3).
	Servers []string
	// Timeout is how long one server may take for one question; default 2 s. How long
	// a look-up may take is for its context to say.
	Timeout time.Duration
	// Concurrency is how many questions may be on the way at once; default 256. One
	// domain may have an eighth of them, and four at least.
	Concurrency int
	// Entries is how many answers are remembered; default 10,000, in at most 32 MiB.
	Entries int
}

const maxCacheBytes = 32 << 20

// Caching is a Resolver that asks recursive servers over UDP and TCP and remembers
// their answers as long as their time to live says, an hour at most; that something
// does not exist as long as its zone says, five minutes at most; and errors never.
// Callers that ask the same at once share one question. It is safe for concurrent use;
// no goroutine outlives the look-up that started it.
type Caching struct {
	lookups
	upstreams *upstreams
	timeout   time.Duration
	gate      *gate
	now       func() time.Time

	mu      sync.Mutex
	cache   *cache
	flights map[question]*flight
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
		upstreams: newUpstreams(c.Servers), timeout: c.Timeout, gate: newGate(c.Concurrency, c.Timeout/4),
		now: time.Now, cache: newCache(c.Entries, maxCacheBytes), flights: map[question]*flight{},
	}
	r.lookups = lookups{r}
	return r
}

// flight is one question on its way, and who waits for it.
type flight struct {
	done    chan struct{}
	cancel  context.CancelCauseFunc
	waiters int
	answer
}

func (r *Caching) records(ctx context.Context, q question) answer {
	if ctx.Err() != nil {
		return answer{err: timedOut(q.name, textLate)}
	}
	now := r.now()
	r.mu.Lock()
	if a, ok := r.cache.get(q, now); ok {
		r.mu.Unlock()
		a.cached = true
		a.lives(now)
		return a
	}
	if m := fromMemory(ctx); m != nil {
		r.mu.Unlock()
		m.missed.Store(true)
		return answer{err: temporary(q.name, "not in memory"), impossible: true}
	}
	f := r.flights[q]
	if f == nil {
		f = r.depart(q)
	}
	f.waiters++
	r.mu.Unlock()
	select {
	case <-f.done:
		return f.answer
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
		f.cancel(nil)
		<-f.done
		// It says whom we waited for.
		if f.answer.err != nil {
			return f.answer
		}
	}
	return answer{err: timedOut(q.name, textLate)}
}

// depart sends a question off. The caller holds the lock.
func (r *Caching) depart(q question) *flight {
	ctx, cancel := context.WithCancelCause(context.Background())
	f := &flight{done: make(chan struct{}), cancel: cancel}
	r.flights[q] = f
	go func() {
		defer close(f.done)
		defer cancel(nil)
		defer func() {
			// An answer is a stranger's bytes: a fault in reading it must not end us.
			if p := recover(); p != nil {
				f.answer = answer{err: temporary(q.name, fmt.Sprintf("internal error (%T)", p))}
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.flights[q] == f {
				delete(r.flights, q)
			}
		}()
		f.answer = r.resolve(ctx, cancel, q)
	}()
	return f
}
