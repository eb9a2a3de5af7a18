// Package dkim verifies the signatures of a message (RFC 6376, 8301, 8463).
//
// It reads the body once, whatever the number of signatures, and in constant memory.
// What a message can make it do is bounded: signatures, key sizes, tags, bytes of
// header. Each signature has a result of its own; a name server that doesn't answer
// is temperror. Reasons are for people and hold no text of the sender beyond names.
//
// The seals and signatures of ARC (RFC 8617) are checked with the same means, see Check.
//
// It does not sign, and it doesn't judge: whether a domain means anything for the
// author is DMARC's question. All functions are safe for concurrent use.
package dkim

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// Limits.
const (
	// MaxVerified is how many signatures of a message are verified, from the top. The
	// others have the result policy.
	MaxVerified = 10
	// MaxSignatures is how many signatures of a message have a result at all.
	MaxSignatures = 50
)

// Signature is the result of one DKIM-Signature field.
type Signature struct {
	Result    authres.Result
	Domain    string // d=, lower case A-labels; "" if it can't be read
	Selector  string // s=
	Algorithm string // a=
	Reason    string // "" for an ordinary pass
	// Testing tells that the key is in testing mode (t=y). Whatever the result, such a
	// signature must count for no more than none (RFC 6376 3.6.1).
	Testing bool
	// KeyBits is the size of the public key, 0 while it is not known: 256 for ed25519.
	KeyBits int
	Claims
	// Oversigned are the header fields that h= names more often than they stand in the
	// message, so that none can be added: lower case, sorted, each once, 32 at most.
	Oversigned []string
	DNSSEC     bool // the resolver vouches for the key, or that there is none
	// Unsigned is how many octets of the canonical body l= leaves unsigned.
	Unsigned int64
}

// Message is a message of which the header section has been read.
type Message struct {
	Header  []Field
	Content io.ReaderAt
	Body    int64 // where the body begins in Content
	Size    int64 // of Content

	tried map[string]string // by explainBody: what it found, by body hash and form
}

// Verify gives the result of each DKIM-Signature in the order of the message. Look-ups
// run under lookups, the work on the body under ctx: a slow name server must not take
// the time that a large body needs. The clock decides about expired signatures. The
// bodies of others' checks are hashed in the same pass.
func Verify(ctx, lookups context.Context, r dns.Resolver, m Message, now time.Time, others ...*Check) []Signature {
	var results []Signature
	var all, checks []*Check // all has those that are not verified, too
	var at []int
	for _, f := range m.Header {
		if !f.Is("DKIM-Signature") {
			continue
		}
		if len(results) == MaxSignatures {
			break
		}
		s, tags, p := formDKIM.read(f, now)
		if p == nil && len(results) >= MaxVerified {
			p = &problem{authres.Policy, fmt.Sprintf("not verified: the message has more than %d signatures", MaxVerified)}
		}
		all = append(all, &Check{signature: s, tags: tags, problem: p, bodyErr: errUnread})
		results = append(results, Signature{Domain: s.domain, Selector: s.selector, Algorithm: s.algorithm, Claims: s.claims(tags)})
		if p != nil {
			results[len(results)-1].Result, results[len(results)-1].Reason = p.result, p.reason
			continue
		}
		checks, at = append(checks, all[len(all)-1]), append(at, len(results)-1)
	}
	if len(checks)+len(others) > 0 {
		fetchAndHash(ctx, lookups, r, m, checks, others)
	}
	if len(all) == 0 && !why.On(ctx) {
		return nil
	}
	header := NewPicker(m.Header)
	for i, c := range checks {
		s := &results[at[i]]
		s.Result, s.Reason = c.OverMessage(header)
		s.KeyBits, s.Unsigned, s.Oversigned = c.KeyBits(), c.unsigned(), header.oversigned(c.signature)
		if s.DNSSEC = c.dnssec; c.Testing() {
			s.Testing, s.Reason = true, inTesting(s.Reason)
		}
	}
	if why.On(ctx) {
		explain(ctx, m, header, all, results)
	}
	return results
}

// fetchAndHash asks for the keys of checks while it reads the body for all.
func fetchAndHash(ctx, lookups context.Context, r dns.Resolver, m Message, checks, others []*Check) {
	wait := fetchKeys(lookups, r, checks)
	hashBody(ctx, m, slices.Concat(checks, others))
	wait()
}

func inTesting(reason string) string {
	const mode = "the key is in testing mode (t=y)"
	if reason == "" {
		return mode
	}
	return reason + "; " + mode
}
