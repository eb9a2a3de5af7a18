package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// Key names a unit.
type Key [16]byte

// KeyOf returns the Key of a unit: the first 16 octets of SHA-256 of the identity's
// digest, the route, the sink and the recipient in lower case, each with its length
// before it.
func KeyOf(identity [sha256.Size]byte, route, sink, recipient string) Key {
	b := append(make([]byte, 0, 256), "mxhook unit 1"...)
	b = append(b, identity[:]...)
	for _, s := range []string{route, sink, strings.ToLower(recipient)} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	return Key(sum[:16])
}
