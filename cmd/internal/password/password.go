// Package password makes and checks the password hashes of `users`: argon2id (RFC 9106)
// as PHC strings, $argon2id$v=19$m=KiB,t=passes,p=lanes$salt$hash.
//
// A Book is safe for concurrent use; a Hash is immutable.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What New takes: the memory is little enough to be spent on strangers.
const (
	memory     = 19 << 10 // KiB
	passes     = 2
	lanes      = 1
	saltOctets = 16
	hashOctets = 32
)

// What a Hash of the configuration may cost at most, since anybody can make us check it.
const (
	maxMemory = 256 << 10 // KiB
	maxPasses = 16
	maxLanes  = 16
)

// Hash is a password's hash with what it was made with.
type Hash struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

// New returns the hash of a password with a salt of its own.
func New(password string) Hash {
	h := Hash{memory: memory, passes: passes, lanes: lanes, salt: make([]byte, saltOctets), sum: make([]byte, hashOctets)}
	rand.Read(h.salt) // never fails
	h.sum = h.of(password)
	return h
}

// String returns the PHC string.
func (h Hash) String() string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes, b.EncodeToString(h.salt), b.EncodeToString(h.sum))
}

// Parse reads a PHC string. The error says what is wrong and holds nothing of it.
func Parse(s string) (Hash, error) {
	var h Hash
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" {
		return h, errors.New("it is no $argon2id$ string, as `mxhook hash-password` prints")
	}
	if part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, fmt.Errorf("only version %d of argon2id is known", argon2.Version)
	}
	n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes)
	if err != nil || n != 3 || part[3] != fmt.Sprintf("m=%d,t=%d,p=%d", h.memory, h.passes, h.lanes) {
		return h, errors.New("its parameters are not m=KiB,t=passes,p=lanes")
	}
	switch {
	case h.memory > maxMemory || h.passes > maxPasses || h.lanes > maxLanes:
		return h, fmt.Errorf("it costs too much to check: at most m=%d,t=%d,p=%d", maxMemory, maxPasses, maxLanes)
	case h.passes < 1 || h.lanes < 1 || h.memory < 8*uint32(h.lanes):
		return h, errors.New("its parameters are below what argon2id allows")
	}
	// Line ends are passed over by the decoder, and are no part of the form.
	if strings.ContainsAny(s, "\r\n") {
		return h, errors.New("it holds a line end")
	}
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(part[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return h, errors.New("its salt is not 8 to 64 octets in base64 without padding")
	}
	if h.sum, err = base64.RawStdEncoding.Strict().DecodeString(part[5]); err != nil || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, errors.New("its hash is not 16 to 64 octets in base64 without padding")
	}
	return h, nil
}

// Matches tells whether password is the one, in a time that doesn't depend on it.
func (h Hash) Matches(password string) bool {
	return subtle.ConstantTimeCompare(h.of(password), h.sum) == 1
}

func (h Hash) of(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.sum)))
}

// cost orders hashes by what it takes to check them.
func (h Hash) cost() uint64 { return uint64(h.memory) * uint64(h.passes) }
