package dns

import (
	"context"
	"sync/atomic"

	"mxhook/verify/why"
)

// memory is the attempt to do without a server.
type memory struct {
	missed atomic.Bool
	budget *budget // of this attempt; those within it are as void as what was concluded
	spent  atomic.Int64
}

type memoryKey struct{}

func fromMemory(ctx context.Context) *memory {
	m, _ := ctx.Value(memoryKey{}).(*memory)
	return m
}

// FromMemory calls f with a context under which r answers from memory alone, and so
// without waiting for anybody, and tells whether that was enough. If it was not, what f
// concluded is void, and its questions are not counted: f must be called again with ctx.
// It saves a goroutine where all is known. f must ask nobody but r, and is not called
// where r is no Caching resolver, with a budget or without, or somebody wants to know why.
func FromMemory(ctx context.Context, r Resolver, f func(context.Context)) bool {
	b, limited := r.(*budget)
	if limited {
		r = b.resolver
	}
	if _, caching := r.(*Caching); !caching || why.On(ctx) {
		return false
	}
	m := &memory{budget: b}
	f(context.WithValue(ctx, memoryKey{}, m))
	missed := m.missed.Load()
	if missed && limited {
		b.left.Add(m.spent.Load())
	}
	return !missed
}
