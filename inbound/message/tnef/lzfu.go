package tnef

import "encoding/binary"

// dictionary is what the window holds at the beginning (MS-OXRTFCP 2.1.2.1).
const dictionary = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor " +
	"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"

const (
	rtfHeader    = 16
	compressed   = 0x75465a4c // "LZFu"
	uncompressed = 0x414c454d // "MELA"
	window       = 4096
)

// decompress undoes the compression of an RTF body (MS-OXRTFCP). It stops after
// limit octets, with cut, and where the input is damaged, with what came before.
func decompress(b []byte, limit int) (out []byte, cut bool) {
	if len(b) < rtfHeader {
		return nil, false
	}
	size := int(min(binary.LittleEndian.Uint32(b[4:]), 1<<31-1))
	kind := binary.LittleEndian.Uint32(b[8:])
	b = b[rtfHeader:]
	if size > limit {
		size, cut = limit, true
	}
	switch kind {
	case uncompressed:
		return b[:min(len(b), size)], cut
	case compressed:
		return expand(b, size), cut
	}
	return nil, false
}

// expand yields at most size octets. A reference stands for 17 octets at most and
// takes two, so what is allocated is in proportion to b.
func expand(b []byte, size int) []byte {
	out := make([]byte, 0, min(size, 9*len(b)))
	var ring [window]byte
	at := copy(ring[:], dictionary)
	put := func(c byte) {
		out = append(out, c)
		ring[at] = c
		at = (at + 1) % window
	}
	for len(b) > 0 && len(out) < size {
		control := b[0]
		b = b[1:]
		for bit := 0; bit < 8 && len(b) > 0 && len(out) < size; bit, control = bit+1, control>>1 {
			if control&1 == 0 {
				put(b[0])
				b = b[1:]
				continue
			}
			if len(b) < 2 {
				return out
			}
			ref := int(b[0])<<8 | int(b[1])
			b = b[2:]
			from, n := ref>>4, ref&0xf+2
			if from == at { // the end
				return out
			}
			for ; n > 0 && len(out) < size; n-- {
				put(ring[from])
				from = (from + 1) % window
			}
		}
	}
	return out
}
