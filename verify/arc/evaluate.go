package arc

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
)

// Evaluation is the result of a chain.
type Evaluation struct {
	// Result is none, pass, fail, or temperror where the standard says fail because a
	// key could not be asked for: asked again, it may pass.
	Result authres.Result
	// Length is how many sets there are; how many seals, where the structure is broken.
	Length int
	// Sealers are the domains of the seals, oldest first. A chain that does not pass
	// proves none and has none.
	Sealers []string
	// OldestPass is 0 if all message signatures hold, else the instance of the oldest
	// one after the newest that does not (RFC 8617 5.2, step 5).
	OldestPass int
	Reason     string
}

// FetchNewest asks for the keys of the newest set, one or two questions.
func (c *Chain) FetchNewest(ctx context.Context, r dns.Resolver) {
	if n := len(c.sets); n > 0 {
		dkim.FetchKeys(ctx, r, []*dkim.Check{c.sets[n-1].signature, c.sets[n-1].sealed})
	}
}

func (c *Chain) evaluate(ctx context.Context, r dns.Resolver) Evaluation {
	c.passed = false
	e := Evaluation{Result: authres.None, Length: c.seals, Sealers: []string{}}
	newest := len(c.sets)
	switch {
	case c.fault != "":
		e.Result, e.Reason = authres.Fail, c.fault
		return e
	case newest == 0:
		return e
	}
	header, digests := dkim.NewPicker(c.header), c.digests()
	if !e.holds(nameMessage, newest, func() (authres.Result, string) { return c.sets[newest-1].signature.OverMessage(header) }) {
		return e
	}
	for i := newest; i > 0; i-- {
		if i == newest-1 {
			c.fetchOthers(ctx, r)
		}
		if !e.holds(nameSeal, i, func() (authres.Result, string) { return c.sets[i-1].sealed.OverDigest(digests[i-1]) }) {
			return e
		}
	}
	e.Result, c.passed = authres.Pass, true
	for i := newest - 1; i > 0 && e.OldestPass == 0; i-- {
		if result, _ := c.sets[i-1].signature.OverMessage(header); result != authres.Pass {
			e.OldestPass = i + 1
		}
	}
	for _, s := range c.sets {
		e.Sealers = append(e.Sealers, s.sealed.Domain())
	}
	return e
}

// holds takes the result of one signature. All that is no pass is fail (RFC 8617
// 5.2.1) but what a later try may find to pass.
func (e *Evaluation) holds(name string, instance int, verify func() (authres.Result, string)) bool {
	result, reason := verify()
	if result == authres.Pass {
		return true
	}
	e.Result = authres.Fail
	if result == authres.TempError {
		e.Result = authres.TempError
	}
	e.Reason = fmt.Sprintf("%s i=%d: %s", name, instance, reason)
	return false
}

// fetchOthers asks for the keys of all sets but the newest.
func (c *Chain) fetchOthers(ctx context.Context, r dns.Resolver) {
	var checks []*dkim.Check
	for _, s := range c.sets[:len(c.sets)-1] {
		checks = append(checks, s.signature, s.sealed)
	}
	dkim.FetchKeys(ctx, r, checks)
}

// digests hashes what each seal covers (RFC 8617 5.1.1): all sets up to its own, each
// as results, message signature, seal; its own seal without the value of b=. One hash
// runs over the chain, so that the cost is its length and not the square.
func (c *Chain) digests() [][]byte {
	var list [][]byte
	running := sha256.New()
	for _, s := range c.sets {
		running.Write(dkim.Relaxed(*s.results))
		running.Write(dkim.Relaxed(*s.message))
		own, err := running.(hash.Cloner).Clone()
		if err != nil {
			panic("arc: SHA-256 can't be cloned") // it can, where it is not some hardware's
		}
		own.Write(dkim.RelaxedUnsigned(*s.seal))
		list = append(list, own.Sum(nil))
		running.Write(dkim.Relaxed(*s.seal))
	}
	return list
}
