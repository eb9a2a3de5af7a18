package dkim

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes at once, the first in the lowest place: a constant times ones is the same
// byte eight times. A mark is the high bit of a byte.
const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// marked marks each byte of w that is b. The byte above a marked one may be marked too,
// though it is b^1.
func marked(w uint64, b byte) uint64 {
	return ((w ^ ones*uint64(b)) - ones) & ^w & high
}

// odd marks the bytes of w that are not plain. cr and space are the marks of the byte
// before, in the lowest place; blanks has all bits if blanks matter.
func odd(w, cr, space, blanks uint64) uint64 {
	crs, spaces := marked(w, '\r'), marked(w, ' ')
	return (crs<<8 | cr) ^ marked(w, '\n') | blanks&(marked(w, '\t')|(spaces<<8|space)&(spaces|crs))
}

// plain gives how many bytes at the beginning of p are canonical as they stand, whatever
// comes after them: text with single spaces between words, and CRLF. It may give less
// than there are, not more. The first byte of p does not follow a CR or a blank.
//
// A place that is not plain is seen at its second byte: the one after a CR that is no LF,
// the LF without a CR, what follows a space and is one more blank or a line end. Words
// without a control character, which most are, need no more than a look for two spaces.
func plain(p []byte, relaxed bool) int {
	n := 0
	var cr, space, blanks uint64
	if relaxed {
		blanks = ^blanks
	}
	for ; n <= len(p)-16; n += 16 {
		one, two := binary.LittleEndian.Uint64(p[n:n+8]), binary.LittleEndian.Uint64(p[n+8:n+16])
		spaces1, spaces2 := marked(one, ' ')&blanks, marked(two, ' ')&blanks
		after1, after2 := spaces1<<8|space, spaces2<<8|spaces1>>56
		controls := (one-ones*' ')&^one&high | (two-ones*' ')&^two&high
		if controls|cr|spaces1&after1|spaces2&after2 != 0 {
			if bad := odd(one, cr, space, blanks); bad != 0 {
				return before(p, n+bits.TrailingZeros64(bad)/8, relaxed)
			}
			cr = marked(one, '\r') >> 56
			if bad := odd(two, cr, spaces1>>56, blanks); bad != 0 {
				return before(p, n+8+bits.TrailingZeros64(bad)/8, relaxed)
			}
			cr = marked(two, '\r') >> 56
		}
		space = spaces2 >> 56
	}
	for last := byte(0); n < len(p); n++ {
		b := p[n]
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
