package dns

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
)

// WithBudget gives a Resolver that passes at most the given number of questions on to
// r and answers the others with a temporary error: a hostile domain can't make one
// message cost more. An address look-up for both families is two questions. Cached
// answers count too, so that a verdict doesn't depend on the cache.
func WithBudget(r Resolver, questions int) Resolver {
	b := &budget{resolver: r}
	b.left.Store(int64(questions))
	return b
}

type budget struct {
	resolver Resolver
	left     atomic.Int64
}

func (b *budget) spend(ctx context.Context, name string, n int64) error {
	var err error
	switch {
	case ctx.Err() != nil:
		err = timedOut(name, textLate)
	case b.left.Add(-n) < 0:
		err = temporary(name, textBudget)
	default:
		if m := fromMemory(ctx); m != nil && m.budget == b {
			m.spent.Add(n)
		}
		return nil
	}
	unasked(ctx, name, err)
	return err
}

// bare makes any error of a foreign resolver a *net.DNSError, since libraries look no
// deeper: a wrapped or missing one would be taken for a permanent answer.
func bare(name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*net.DNSError); ok {
		return e
	}
	if IsNotFound(err) {
		return noData(name)
	}
	return temporary(name, "the look-up failed")
}

func (b *budget) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if err := b.spend(ctx, name, 1); err != nil {
		return nil, err
	}
	v, err := b.resolver.LookupTXT(ctx, name)
	return v, bare(name, err)
}

func (b *budget) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	if err := b.spend(ctx, name, 1); err != nil {
		return nil, err
	}
	v, err := b.resolver.LookupMX(ctx, name)
	return v, bare(name, err)
}

func (b *budget) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	if err := b.spend(ctx, name, 2); err != nil {
		return nil, err
	}
	v, err := b.resolver.LookupIPAddr(ctx, name)
	return v, bare(name, err)
}

func (b *budget) LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error) {
	if err := b.spend(ctx, name, 1); err != nil {
		return nil, err
	}
	v, err := LookupNetIP(ctx, b.resolver, network, name)
	return v, bare(name, err)
}

func (b *budget) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	if err := b.spend(ctx, addr, 1); err != nil {
		return nil, err
	}
	v, err := b.resolver.LookupAddr(ctx, addr)
	return v, bare(addr, err)
}
