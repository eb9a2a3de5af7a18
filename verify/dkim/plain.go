package dkim

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes at once: each constant holds the same byte eight times.
const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// holds marks with its high bit each byte of w that is b. A byte above a marked one may
// be marked too, though it is b^1.
func holds(w uint64, b byte) uint64 {
	w ^= ones * uint64(b)
	return (w - ones) &^ w & high
}

// plain gives how many bytes at the beginning of p are canonical as they stand, whatever
// comes after them: text with single spaces between words, and CRLF. It may give less
// than there are, not more. The first byte of p does not follow a CR or a blank.
//
// A place that is not plain is seen at its second byte: the one after a CR that is no LF,
// the LF without a CR, what follows a space and is one more blank or a line end.
func plain(p []byte, relaxed bool) int {
	n := 0
	var cr, space uint64 // of the byte before, as holds marks it, in the lowest byte
	for ; n+8 <= len(p); n += 8 {
		w := binary.LittleEndian.Uint64(p[n:])
		var bad, after uint64 // after marks what follows a space
		if relaxed {
			spaces := holds(w, ' ')
			after = spaces<<8 | space
			bad = after & spaces
			space = spaces >> 56
		}
		if (w-ones*' ')&^w&high|cr != 0 { // a control character, or after one
			crs := holds(w, '\r')
			bad |= (crs<<8 | cr) ^ holds(w, '\n')
			if relaxed {
				bad |= holds(w, '\t') | after&crs
			}
			cr = crs >> 56
		}
		if bad != 0 {
			return before(p, n+bits.TrailingZeros64(bad)/8, relaxed)
		}
	}
	for ; n < len(p); n++ {
		b, last := p[n], byte(0)
		if n > 0 {
			last = p[n-1]
		}
		if (last == '\r') != (b == '\n') || relaxed && (b == '\t' || last == ' ' && (b == ' ' || b == '\r')) {
			break
		}
	}
	return before(p, n, relaxed)
}

// before leaves out a CR or blank right before n: what it is depends on what follows.
func before(p []byte, n int, relaxed bool) int {
	if n > 0 && (p[n-1] == '\r' || relaxed && p[n-1] == ' ') {
		n--
	}
	return n
}
