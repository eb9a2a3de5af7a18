package dkim

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
)

var errUnread = errors.New("dkim: the body was not read")

// hashBody reads the body once for all checks. Those that want the same bytes share
// one hash.
func hashBody(ctx context.Context, m Message, checks []*Check) {
	type want struct {
		relaxed bool
		limit   int64
	}
	canonical := map[bool]*canonicalBody{}
	hashes := map[want]*bodyHash{}
	for _, c := range checks {
		if c.problem != nil || len(c.hash) == 0 {
			continue
		}
		w := want{c.relaxedBody, c.limit}
		h := hashes[w]
		if h == nil {
			h = &bodyHash{hash: sha256.New(), limit: c.limit}
			hashes[w] = h
			if canonical[w.relaxed] == nil {
				canonical[w.relaxed] = &canonicalBody{relaxed: w.relaxed}
			}
			canonical[w.relaxed].hashes = append(canonical[w.relaxed].hashes, h)
		}
		c.body = h
	}
	err := m.readBody(ctx, canonical)
	for _, c := range checks {
		c.bodyErr = err
	}
}

// readBody gives the body to all that want it.
func (m *Message) readBody(ctx context.Context, canonical map[bool]*canonicalBody) error {
	if len(canonical) == 0 {
		return nil
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
