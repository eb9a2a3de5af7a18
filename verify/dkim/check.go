package dkim

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"sync"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// Check is one signature on its way to a result: first its field is read, then its key
// is fetched and the body hashed, in any order, then it is verified. Those of ARC are
// made by NewMessageSignature and NewSeal. Its steps are not safe for concurrent use,
// but that FetchKeys may run beside Verify.
type Check struct {
	*signature
	tags    Tags
	problem *problem // of the field

	key        *key
	keyProblem *problem
	dnssec     bool

	body    *bodyHash // of a body that was read to its end
	bodyErr error
}

func (form *form) check(f Field, now time.Time) *Check {
	c := &Check{bodyErr: errUnread}
	c.signature, c.tags, c.problem = form.read(f, now)
	return c
}

// Tag gives the value of a tag without blanks, "" without it.
func (c *Check) Tag(name string) string { return compact(c.tags[name]) }

// Domain gives d= in lower-case A-labels, "" if it can't be read.
func (c *Check) Domain() string { return c.domain }

// Testing tells that the key was fetched and is in testing mode (t=y).
func (c *Check) Testing() bool { return c.key != nil && c.key.testing }

// Asked tells that nothing more needs to be asked for: the key is there or not to be
// had, or the field alone decides.
func (c *Check) Asked() bool { return c.problem != nil || c.key != nil || c.keyProblem != nil }

// KeyBits is the size of the key, 0 while it is not known.
func (c *Check) KeyBits() int {
	if c.key == nil {
		return 0
	}
	return c.key.bits
}

// unsigned is how much of the body l= leaves out.
func (c *Check) unsigned() int64 {
	if c.body == nil || c.bodyErr != nil || c.limit < 0 {
		return 0
	}
	return max(0, c.body.size-c.limit)
}

// FetchKeys asks for the keys of all checks at the same time, for each key once.
func FetchKeys(ctx context.Context, r dns.Resolver, checks []*Check) { fetchKeys(ctx, r, checks)() }

// fetchKeys begins what FetchKeys does: what the resolver remembers is there at once. The
// function that it gives waits for the rest; a panic on the way is handed to its caller,
// where it can be caught.
func fetchKeys(ctx context.Context, r dns.Resolver, checks []*Check) (wait func()) {
	var asking sync.WaitGroup
	var said []func()
	keys := byKey(checks)
	faults := make(chan any, len(keys))
	for _, list := range keys {
		fetch := func(ctx context.Context) {
			ctx, observed := dns.Observe(ctx)
			key, p := fetchKey(ctx, r, list[0].selector, list[0].domain)
			for _, c := range list {
				c.key, c.keyProblem, c.dnssec = key, p, observed.Authenticated()
			}
		}
		if dns.FromMemory(ctx, r, fetch) {
			continue
		}
		held, release := why.Hold(ctx)
		said = append(said, release)
		asking.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					faults <- p
				}
			}()
			fetch(held)
		})
	}
	return func() {
		asking.Wait()
		for _, release := range said {
			release()
		}
		select {
		case p := <-faults:
			panic(p)
		default:
		}
	}
}

// byKey sorts the checks that want a key by it, in their order.
func byKey(checks []*Check) (keys [][]*Check) {
	for _, c := range checks {
		if c.problem != nil || c.key != nil || c.keyProblem != nil {
			continue
		}
		at := slices.IndexFunc(keys, func(k []*Check) bool { return k[0].selector == c.selector && k[0].domain == c.domain })
		if at < 0 {
			at = len(keys)
			keys = append(keys, nil)
		}
		keys[at] = append(keys[at], c)
	}
	return keys
}

// unfit is why the signature can't be verified at all.
func (c *Check) unfit() *problem {
	switch {
	case c.problem != nil:
		return c.problem
	case c.keyProblem != nil:
		return c.keyProblem
	case c.key == nil:
		return &problem{authres.TempError, "the key was not asked for"}
	}
	return c.key.fits(c.signature)
}

// OverMessage joins key, body and header to the result of a signature over a message.
func (c *Check) OverMessage(header *Picker) (authres.Result, string) {
	if p := c.unfit(); p != nil {
		return p.result, p.reason
	}
	if c.bodyErr != nil || c.body == nil {
		return authres.TempError, "the message could not be read"
	}
	if c.limit > c.body.size {
		return authres.PermError, "l= is more than the body has"
	}
	if subtle.ConstantTimeCompare(c.body.sum, c.hash) != 1 {
		return authres.Fail, "the body was changed"
	}
	if !c.key.verify(header.digest(c.signature), c.sig) {
		return authres.Fail, "the signature does not fit the header"
	}
	switch beyond := c.unsigned(); {
	case beyond > 0:
		// Anybody can add to such a body.
		return authres.Policy, fmt.Sprintf("l= leaves %d bytes of the body unsigned", beyond)
	case c.limit >= 0:
		return authres.Pass, "l= covers the whole body"
	}
	return authres.Pass, ""
}

// OverDigest gives the result of a signature over what a caller has hashed (SHA-256).
func (c *Check) OverDigest(digest []byte) (authres.Result, string) {
	if p := c.unfit(); p != nil {
		return p.result, p.reason
	}
	if !c.key.verify(digest, c.sig) {
		return authres.Fail, "the signature does not fit"
	}
	return authres.Pass, ""
}
