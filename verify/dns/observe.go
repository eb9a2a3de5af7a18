package dns

import (
	"context"
	"sync"
)

// Observation notes whether the resolver vouches for the answers of some look-ups. It
// is safe for concurrent use.
type Observation struct {
	mu               sync.Mutex
	answers, vouched int
	open             int // questions without an answer
}

type observationKey struct{}

// Observe returns a context whose look-ups are noted in the Observation; those of an
// Observation around it are not. A method that wants to say "the DNS vouches for my
// result" makes all its look-ups with that context.
func Observe(ctx context.Context) (context.Context, *Observation) {
	o := &Observation{}
	return context.WithValue(ctx, observationKey{}, o), o
}

// Authenticated reports whether there was an answer, and every answer was
// authenticated by DNSSEC, also those that say that something does not exist. A
// question without an answer makes it false.
//
// Authenticated means that a recursive server says so (the AD bit, RFC 4035 3.2.3) and
// that its word reaches us unchanged: see Config.
func (o *Observation) Authenticated() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answers > 0 && o.open == 0 && o.vouched == o.answers
}

// observe notes one answer.
func observe(ctx context.Context, a *answer) {
	o, _ := ctx.Value(observationKey{}).(*Observation)
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.err != nil && !IsNotFound(a.err) {
		o.open++
		return
	}
	o.answers++
	if a.authentic {
		o.vouched++
	}
}
