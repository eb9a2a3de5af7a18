package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

// A segment is a header and records. Numbers are big-endian.
//
//	header: "mxhook ledger 1\n", seed [16], digest of nothing [8]
//	record: magic [4], length of the payload uint32, digest [8], payload
//	digest: the first 8 octets of SHA-256(seed, length, payload)
//	payload: state 1, age int64, wall int64 (both nanoseconds),
//	         length of the id 1, id, keys [16] each
//	with 0x80 in state: an int64 follows wall, since when it is so (nanoseconds)
//
// The seed keeps octets of anything else, an older file or a message, from being
// taken for a record when a file system mixes up its blocks. A payload of state 0 has
// no keys: it was written to try the storage.
const (
	title      = "mxhook ledger 1\n"
	headerSize = len(title) + 16 + 8
	magic      = "\xffmx\x01"
	prefixSize = len(magic) + 4 + 8
	fixedSize  = 1 + 8 + 8 + 1
	sinceSize  = 8
	hasSince   = 0x80
	maxID      = 64
	maxKeys    = 1 << 17
	maxPayload = fixedSize + sinceSize + maxID + maxKeys*len(Key{})
)

type seed [16]byte

// entry is the content of a record.
type entry struct {
	state State
	age   time.Duration // the ledger's own time, see clock
	wall  int64         // nanoseconds since 1970
	at    int64         // likewise; Done.At, 0 is none
	id    string
	keys  []Key
	done  chan error // told by the writer
}

// appendRecord appends e to b.
func appendRecord(b []byte, s seed, e *entry) []byte {
	start := len(b)
	length := fixedSize + len(e.id) + len(e.keys)*len(Key{})
	state := byte(e.state)
	if e.at != 0 {
		length, state = length+sinceSize, state|hasSince
	}
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b = append(b, make([]byte, 8)...) // the digest
	b = append(b, state)
	b = binary.BigEndian.AppendUint64(b, uint64(e.age))
	b = binary.BigEndian.AppendUint64(b, uint64(e.wall))
	if e.at != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(e.at))
	}
	b = append(b, byte(len(e.id)))
	b = append(b, e.id...)
	for i := range e.keys {
		b = append(b, e.keys[i][:]...)
	}
	sum := digest(s, b[start+prefixSize:])
	copy(b[start+prefixSize-len(sum):], sum[:])
	return b
}

func digest(s seed, payload []byte) (d [8]byte) {
	h := sha256.New()
	h.Write(s[:])
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(payload)))
	h.Write(length[:])
	h.Write(payload)
	var sum [sha256.Size]byte
	copy(d[:], h.Sum(sum[:0]))
	return d
}

// parseRecord reads the record at the beginning of b and returns its size, 0 when
// there is none.
func parseRecord(b []byte, s seed) (e entry, size int) {
	if len(b) < prefixSize || string(b[:len(magic)]) != magic {
		return e, 0
	}
	length := int(binary.BigEndian.Uint32(b[len(magic):]))
	if length < fixedSize || length > maxPayload || length > len(b)-prefixSize {
		return e, 0
	}
	p := b[prefixSize : prefixSize+length]
	if digest(s, p) != [8]byte(b[prefixSize-8:prefixSize]) {
		return e, 0
	}
	e.state = State(p[0] &^ hasSince)
	e.age = time.Duration(binary.BigEndian.Uint64(p[1:]))
	e.wall = int64(binary.BigEndian.Uint64(p[9:]))
	fixed := fixedSize
	if p[0]&hasSince != 0 {
		if fixed += sinceSize; len(p) < fixed {
			return e, 0
		}
		e.at = int64(binary.BigEndian.Uint64(p[17:]))
	}
	idEnd := fixed + int(p[fixed-1])
	if idEnd > len(p) || (len(p)-idEnd)%len(Key{}) != 0 {
		return e, 0
	}
	e.id = string(p[fixed:idEnd])
	e.keys = make([]Key, 0, (len(p)-idEnd)/len(Key{}))
	for p = p[idEnd:]; len(p) > 0; p = p[len(Key{}):] {
		e.keys = append(e.keys, Key(p[:len(Key{})]))
	}
	return e, prefixSize + length
}

func appendHeader(b []byte, s seed) []byte {
	sum := digest(s, nil)
	return append(append(append(b, title...), s[:]...), sum[:]...)
}

var errHeader = errors.New("it does not begin as a segment")

// scan reads a segment and tells each record, in order. good is where the last
// record ends that no damage stands before; damaged counts the places where something
// that is no record stands between records. An error is one of the header.
func scan(b []byte, tell func(entry)) (s seed, good int64, damaged int, err error) {
	if len(b) < headerSize || string(b[:len(title)]) != title {
		return s, 0, 0, errHeader
	}
	s = seed(b[len(title) : headerSize-8])
	if digest(s, nil) != [8]byte(b[headerSize-8:headerSize]) {
		return s, 0, 0, errHeader
	}
	at := headerSize
	good = int64(at)
	for at < len(b) {
		e, size := parseRecord(b[at:], s)
		if size == 0 {
			next, found := resume(b, at+1, s)
			if !found {
				break
			}
			damaged++
			at = next
			continue
		}
		tell(e)
		at += size
		if damaged == 0 {
			good = int64(at)
		}
	}
	return s, good, damaged, nil
}

// resume finds the next record after damage.
func resume(b []byte, at int, s seed) (int, bool) {
	for {
		n := bytes.Index(b[at:], []byte(magic))
		if n < 0 {
			return 0, false
		}
		at += n
		if _, size := parseRecord(b[at:], s); size > 0 {
			return at, true
		}
		at++
	}
}
