package sinks

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
)

// Identity is what makes two transactions carry the same message. Fields that
// change from hop to hop (Received, signatures, results) are not part of it.
type Identity struct {
	ReversePath string
	MessageID   string
	Date        string // field bodies, as written
	From        string
	Subject     string
	BodySHA256  [sha256.Size]byte
	// Fingerprint is who vouches for the message: the passing DKIM domains and the
	// SPF-passed domain, or else the peer's network, so that a forged copy never has
	// the identity of the genuine one.
	Fingerprint []string
	// Transaction makes the identity unique where there is no Message-ID, and is ""
	// otherwise.
	Transaction string
}

// Sum returns the identity's digest.
func (id Identity) Sum() [sha256.Size]byte {
	h := sha256.New()
	fingerprint := slices.Compact(slices.Sorted(slices.Values(id.Fingerprint)))
	for _, s := range []string{"mxhook identity 1", id.ReversePath, id.MessageID, id.Date, id.From, id.Subject,
		string(id.BodySHA256[:]), strings.Join(fingerprint, "\n"), id.Transaction} {
		writeString(h, s)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// EventID returns the id of an event: "msg_" and the first 26 characters of the
// lower-case base32 of SHA-256(identity, route, sorted lower-case recipients). The
// same message for the same recipients has the same id, over resends and restarts.
func EventID(identity [sha256.Size]byte, route string, recipients []Recipient) string {
	addresses := make([]string, 0, len(recipients))
	for _, r := range recipients {
		addresses = append(addresses, r.Key())
	}
	slices.Sort(addresses)
	h := sha256.New()
	h.Write(identity[:])
	writeString(h, route)
	for _, a := range slices.Compact(addresses) {
		writeString(h, a)
	}
	sum := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil))
	return "msg_" + strings.ToLower(sum[:26])
}

// writeString writes s with its length before it, so that no two lists of strings
// give the same bytes.
func writeString(h hash.Hash, s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	h.Write(n[:])
	h.Write([]byte(s))
}
