// Package dkim verifies the signatures of a message (RFC 6376, 8301, 8463).
//
// It reads the body once, whatever the number of signatures, and in constant memory.
// What a message can make it do is bounded: signatures, key sizes, tags, bytes of
// header. Each signature has a result of its own; a name server that doesn't answer
// is temperror. Reasons are for people and hold no text of the sender beyond names.
//
// It does not sign, and it doesn't judge: whether a domain means anything for the
// author is DMARC's question. All functions are safe for concurrent use.
package dkim

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
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
}

// Message is a message of which the header section has been read.
type Message struct {
	Header  []Field
	Content io.ReaderAt
	Body    int64 // where the body begins in Content
	Size    int64 // of Content
}

// Verify gives the result of each signature in the order of the message. Look-ups
// run under lookups, the work on the body under ctx: a slow name server must not take
// the time that a large body needs. The clock decides about expired signatures.
func Verify(ctx, lookups context.Context, r dns.Resolver, m Message, now time.Time) []Signature {
	var results []Signature
	var jobs []*job
	for _, f := range m.Header {
		if !f.Is("DKIM-Signature") {
			continue
		}
		if len(results) == MaxSignatures {
			break
		}
		s, p := parseSignature(f, now)
		if p == nil && len(results) >= MaxVerified {
			p = &problem{authres.Policy, fmt.Sprintf("not verified: the message has more than %d signatures", MaxVerified)}
		}
		results = append(results, Signature{Domain: s.domain, Selector: s.selector, Algorithm: s.algorithm})
		if p != nil {
			results[len(results)-1].Result, results[len(results)-1].Reason = p.result, p.reason
			continue
		}
		jobs = append(jobs, &job{signature: s, at: len(results) - 1})
	}
	if len(jobs) == 0 {
		return results
	}
	var wait sync.WaitGroup
	for _, j := range jobs {
		wait.Go(func() {
			// A panic is handed to the caller's goroutine, where it can be caught.
			defer func() { j.panic = recover() }()
			j.key, j.problem = fetchKey(lookups, r, j.selector, j.domain)
		})
	}
	err := hashBody(ctx, m, jobs)
	wait.Wait()
	for _, j := range jobs {
		if j.panic != nil {
			panic(j.panic)
		}
	}
	header := newPicker(m.Header)
	for _, j := range jobs {
		s := &results[j.at]
		s.Result, s.Reason = j.finish(header, err)
		if j.key != nil && j.key.testing {
			s.Testing, s.Reason = true, inTesting(s.Reason)
		}
	}
	return results
}

func inTesting(reason string) string {
	const mode = "the key is in testing mode (t=y)"
	if reason == "" {
		return mode
	}
	return reason + "; " + mode
}

// job is a signature on its way to a result.
type job struct {
	*signature
	at      int
	key     *key
	problem *problem
	body    *bodyHash
	panic   any
}

// hashBody reads the body once for all signatures. Those that want the same bytes
// share one hash.
func hashBody(ctx context.Context, m Message, jobs []*job) error {
	type want struct {
		relaxed bool
		limit   int64
	}
	canonical := map[bool]*canonicalBody{}
	hashes := map[want]*bodyHash{}
	for _, j := range jobs {
		w := want{j.signature.body, j.limit}
		h := hashes[w]
		if h == nil {
			h = &bodyHash{hash: sha256.New(), limit: j.limit}
			hashes[w] = h
			c := canonical[w.relaxed]
			if c == nil {
				c = &canonicalBody{relaxed: w.relaxed}
				canonical[w.relaxed] = c
			}
			c.hashes = append(c.hashes, h)
		}
		j.body = h
	}
	block := make([]byte, min(max(m.Size-m.Body, 1), 64<<10))
	for at := m.Body; at < m.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := m.Content.ReadAt(block[:min(int64(len(block)), m.Size-at)], at)
		for _, c := range canonical {
			c.Write(block[:n])
		}
		at += int64(n)
		if err != nil && (!errors.Is(err, io.EOF) || at < m.Size) {
			return err
		}
	}
	for _, c := range canonical {
		c.Close()
	}
	return nil
}

// finish joins key, body and header to the result.
func (j *job) finish(header *picker, readErr error) (authres.Result, string) {
	if j.problem != nil {
		return j.problem.result, j.problem.reason
	}
	if p := j.key.fits(j.signature); p != nil {
		return p.result, p.reason
	}
	if readErr != nil {
		return authres.TempError, "the message could not be read"
	}
	if j.limit > j.body.size {
		return authres.PermError, "l= is more than the body has"
	}
	if subtle.ConstantTimeCompare(j.body.hash.Sum(nil), j.hash) != 1 {
		return authres.Fail, "the body was changed"
	}
	if !j.key.verify(header.digest(j.signature), j.sig) {
		return authres.Fail, "the signature does not fit the header"
	}
	switch beyond := j.body.size - j.limit; {
	case j.limit >= 0 && beyond > 0:
		// Anybody can add to such a body.
		return authres.Policy, fmt.Sprintf("l= leaves %d bytes of the body unsigned", beyond)
	case j.limit >= 0:
		return authres.Pass, "l= covers the whole body"
	}
	return authres.Pass, ""
}
