package dkim

import (
	"bytes"
	"encoding/binary"
)

// plain gives how many bytes at the beginning of p are canonical as they stand, whatever
// comes after them: text with single spaces between words if it is to be relaxed, and
// CRLF. It may give less than there are, not more. The first byte of p does not follow a
// CR or a blank.
func plain(p []byte, relaxed bool) int {
	if !relaxed {
		return plainLines(p)
	}
	// Ever larger pieces: what is looked at in vain is never more than what was found.
	n := 0
	for look := 64; n < len(p); look *= 2 {
		piece := p[n:min(len(p), n+look)]
		words := piece[:plainWords(piece)]
		found := len(words)
		if !evenLines(words) {
			found = plainLines(words)
		}
		n += found
		// A piece that ends in a CR or a space was perhaps only cut there.
		if found == 0 || found < len(piece)-1 {
			break
		}
	}
	return n
}

// maxLook is how far is looked for the end of a line. It bounds what a body with CR or LF
// alone can cost.
const maxLook = 1 << 10

// evenLines reports whether each CR and LF of p is one of a CRLF. It looks for the line
// feeds alone, and counts the others, which is much cheaper than to look for both line by
// line; but it looks at all of p, whatever it finds.
func evenLines(p []byte) bool {
	ends := 0
	for rest := p; ; ends++ {
		lf := bytes.IndexByte(rest, '\n')
		if lf < 0 {
			break
		}
		if lf == 0 || rest[lf-1] != '\r' {
			return false
		}
		rest = rest[lf+1:]
	}
	return bytes.Count(p, carriageReturn) == ends
}

var carriageReturn = []byte{'\r'}

// plainLines gives how far each CR and LF is one of a CRLF.
func plainLines(p []byte) int {
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

// Eight bytes at once: a constant times ones is the same byte eight times. A mark is the
// high bit of a byte.
const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// blankPair marks each place among the first eight bytes of p where a space stands before
// a blank or a line end. A place after a marked one may be marked too, though it is none.
func blankPair(p []byte) uint64 {
	w, next := binary.LittleEndian.Uint64(p[:8]), binary.LittleEndian.Uint64(p[1:9])
	return ((w ^ ones*' ') - ones) &^ w & (next - ones*(' '+1)) &^ next
}

// plainWords gives how far there is no tab, and no space but one between two words.
func plainWords(p []byte) int {
	if tab := bytes.IndexByte(p, '\t'); tab >= 0 {
		p = p[:tab]
	}
	for n := 0; n < len(p); n += 32 {
		if len(p)-n > 32 {
			q := p[n : n+33]
			if (blankPair(q)|blankPair(q[8:])|blankPair(q[16:])|blankPair(q[24:]))&high == 0 {
				continue
			}
		}
		for i := n; i < min(n+32, len(p)); i++ {
			if p[i] == ' ' && (i+1 == len(p) || p[i+1] <= ' ') {
				return i
			}
		}
	}
	return len(p)
}
