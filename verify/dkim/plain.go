package dkim

import (
	"bytes"
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

// odd marks the bytes of w that are not plain where blanks matter. cr and space are the
// marks of the byte before, in the lowest place.
func odd(w, cr, space uint64) uint64 {
	crs, spaces := marked(w, '\r'), marked(w, ' ')
	return (crs<<8 | cr) ^ marked(w, '\n') | marked(w, '\t') | (spaces<<8|space)&(spaces|crs)
}

// plain gives how many bytes at the beginning of p are canonical as they stand, whatever
// comes after them: text with single spaces between words if it is to be relaxed, and
// CRLF. It may give less than there are, not more. The first byte of p does not follow a
// CR or a blank.
func plain(p []byte, relaxed bool) int {
	if relaxed {
		return plainRelaxed(p)
	}
	n := 0
	for n < len(p) {
		if p[n] == '\r' && n+1 < len(p) && p[n+1] == '\n' {
			n += 2 // an empty line needs no search
			continue
		}
		line := p[n:min(len(p), n+maxLook)]
		cr := bytes.IndexByte(line, '\r')
		if cr >= 0 {
			line = line[:cr]
		}
		if lf := bytes.IndexByte(line, '\n'); lf >= 0 {
			return n + lf
		}
		if n += len(line); cr < 0 {
			continue
		}
		if n+1 == len(p) || p[n+1] != '\n' {
			return n
		}
		n += 2
	}
	return n
}

// maxLook is how far is looked for the end of a line. It bounds what a body with CR or LF
// alone can cost.
const maxLook = 1 << 10

// plainRelaxed is plain for bodies that are relaxed.
//
// A place that is not plain is seen at its second byte: the one after a CR that is no LF,
// the LF without a CR, what follows a space and is one more blank or a line end. Words
// without a control character, which most are, need no more than a look for two spaces.
func plainRelaxed(p []byte) int {
	n := 0
	var cr, space uint64 // marks of the byte before, in the lowest place
	for ; n <= len(p)-16; n += 16 {
		one, two := binary.LittleEndian.Uint64(p[n:n+8]), binary.LittleEndian.Uint64(p[n+8:n+16])
		spaces1, spaces2 := marked(one, ' '), marked(two, ' ')
		after1, after2 := spaces1<<8|space, spaces2<<8|spaces1>>56
		controls := ((one-ones*' ')&^one | (two-ones*' ')&^two) & high
		if controls|cr|spaces1&after1|spaces2&after2 != 0 {
			if bad := odd(one, cr, space); bad != 0 {
				return before(p, n+bits.TrailingZeros64(bad)/8)
			}
			cr = marked(one, '\r') >> 56
			if bad := odd(two, cr, spaces1>>56); bad != 0 {
				return before(p, n+8+bits.TrailingZeros64(bad)/8)
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
		if (last == '\r') != (b == '\n') || b == '\t' || last == ' ' && (b == ' ' || b == '\r') {
			break
		}
	}
	return before(p, n)
}

// before leaves out a CR or blank right before n: what it is depends on what follows.
func before(p []byte, n int) int {
	if n > 0 && (p[n-1] == '\r' || p[n-1] == ' ') {
		n--
	}
	return n
}
