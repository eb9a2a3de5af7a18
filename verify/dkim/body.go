package dkim

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
)

var errUnread = errors.New("dkim: the body was not read")

// hashBody reads the body once for all checks. Those that want it canonicalized alike
// share one pass and one hash.
func hashBody(ctx context.Context, m Message, checks []*Check) {
	var bodies []*canonicalBody // one or two
	for _, c := range checks {
		if c.problem != nil || len(c.hash) == 0 {
			continue
		}
		at := slices.IndexFunc(bodies, func(b *canonicalBody) bool { return b.relaxed == c.relaxedBody })
		if at < 0 {
			at = len(bodies)
			bodies = append(bodies, &canonicalBody{relaxed: c.relaxedBody, hash: sha256.New()})
		}
		c.body = bodies[at].want(c.limit)
	}
	err := m.readBody(ctx, bodies)
	for _, c := range checks {
		c.bodyErr = err
	}
}

// readBody gives the body to all that want it.
func (m *Message) readBody(ctx context.Context, bodies []*canonicalBody) error {
	if len(bodies) == 0 {
		return nil
	}
	block := make([]byte, min(max(m.Size-m.Body, 1), 64<<10))
	for at := m.Body; at < m.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := m.Content.ReadAt(block[:min(int64(len(block)), m.Size-at)], at)
		for _, b := range bodies {
			b.Write(block[:n])
		}
		at += int64(n)
		if err != nil && (!errors.Is(err, io.EOF) || at < m.Size) {
			return err
		}
	}
	for _, b := range bodies {
		b.Close()
	}
	return nil
}
