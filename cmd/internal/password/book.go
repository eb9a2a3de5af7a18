package password

import (
	"context"
	"maps"
	"time"

	"mxhook/inbound/status"
)

const (
	atOnce   = 2                // checks; each needs the memory of its hash
	patience = 20 * time.Second // for one's turn
)

// Book knows users by name.
type Book struct {
	users   map[string]Hash
	unknown Hash // whom nobody is, as costly to check as the costliest user
	turns   chan struct{}
}

// NewBook makes a Book of users by name. An unknown name takes as long to refuse as a
// wrong password, so that nobody learns names from it, provided that all hashes have
// the same parameters.
func NewBook(users map[string]Hash) *Book {
	b := &Book{users: maps.Clone(users), unknown: New(""), turns: make(chan struct{}, atOnce)}
	first := true
	for _, h := range users {
		if first || h.cost() > b.unknown.cost() {
			b.unknown, first = h, false
		}
	}
	return b
}

// Check returns nil if password is the user's. The error wraps status.AuthFailed if it is
// not, or status.AuthUnavailable if nobody could find out in time.
func (b *Book) Check(ctx context.Context, user, password string) error {
	waiting, done := context.WithTimeout(ctx, patience)
	defer done()
	select {
	case b.turns <- struct{}{}:
		defer func() { <-b.turns }()
	case <-waiting.Done():
		return status.AuthUnavailable.Wrap("wait for other checks", waiting.Err())
	}
	h, known := b.users[user]
	if !known {
		h = b.unknown
	}
	if matches := h.Matches(password); !matches || !known {
		return status.AuthFailed.Wrap("check the password", nil)
	}
	return nil
}
