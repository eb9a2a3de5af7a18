package message

import (
	"bytes"
	"errors"
	"io"
)

// transfer is a content transfer encoding (RFC 2045 6).
type transfer int

const (
	identity transfer = iota // 7bit, 8bit, binary
	base64Encoded
	quotedPrintable
	uuencoded
)

// transferOf returns the encoding of that name; ok is false when it is unknown.
func transferOf(name string) (t transfer, ok bool) {
	switch name {
	case "", "7bit", "8bit", "binary", "7-bit", "8-bit", "none", "7bits", "8bits", "plain":
		return identity, true
	case "base64", "base-64", "x-base64":
		return base64Encoded, true
	case "quoted-printable", "quotedprintable", "quoted_printable":
		return quotedPrintable, true
	case "x-uuencode", "uuencode", "x-uue":
		return uuencoded, true
	}
	return identity, false
}

// rawSize is how much of a part is read at once.
const rawSize = 32 << 10

// decoder undoes a transfer encoding over a range of the message, block by block,
// with a fixed amount of memory. It repairs what it can and remembers that there
// was damage. The same range always gives the same octets.
type decoder struct {
	r        io.ReaderAt
	off, end int64
	enc      transfer

	mem []byte // all of the message, nil if it is not in memory
	raw []byte // where octets are read to, if it is not
	in  []byte // octets not yet decoded, of raw or mem
	n   int    // how many they are
	out []byte // decoded, valid until the next step
	dec []byte // its memory
	pos int    // of out, for Read

	quantum [4]byte // base64 letters that wait for more
	qn      int
	padded  bool // the last that came was padding
	mended  bool // it was base64, but not as it should be
	begun   bool // uuencode: the begin line was seen
	done    bool // nothing more is decoded

	damaged bool
	err     error
}

// reset makes d decode another range, with the memory that it has.
func (d *decoder) reset(r io.ReaderAt, off, end int64, enc transfer) {
	*d = decoder{r: r, off: off, end: max(off, end), enc: enc, raw: d.raw, dec: d.dec}
	if d.mem = inMemory(r, d.end); d.mem != nil {
		return
	}
	if want := int(min(rawSize, d.end-d.off)); len(d.raw) < want {
		d.raw = make([]byte, want)
	}
}

// step decodes the next block into d.out; false at the end or on an error.
func (d *decoder) step() bool {
	d.out, d.pos = nil, 0
	for len(d.out) == 0 {
		if d.done || d.err != nil {
			return false
		}
		if d.mem != nil {
			d.slide()
		} else if !d.fill() {
			return false
		}
		d.block(d.off >= d.end)
	}
	return true
}

// fill reads more behind what waits; false on an error.
func (d *decoder) fill() bool {
	if room := min(int64(len(d.raw)-d.n), d.end-d.off); room > 0 {
		n, err := d.r.ReadAt(d.raw[d.n:d.n+int(room)], d.off)
		d.n += n
		d.off += int64(n)
		if int64(n) < room {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			d.err = err
			return false
		}
	}
	d.in = d.raw[:d.n]
	return true
}

// slide is fill for a message in memory.
func (d *decoder) slide() {
	start := d.off - int64(d.n)
	d.off = min(start+rawSize, d.end)
	d.in = d.mem[start:d.off]
	d.n = len(d.in)
}

// block decodes what is in d.in as far as it ends in a whole line; all of it when
// there is no line end or nothing follows.
func (d *decoder) block(last bool) {
	cut := d.n
	if !last && d.enc != identity {
		if k := bytes.LastIndexByte(d.in, '\n'); k >= 0 {
			cut = k + 1
		} else if d.enc == quotedPrintable {
			cut = qpCut(d.in)
		}
	}
	b := d.in[:cut]
	d.dec = d.dec[:0]
	switch d.enc {
	case identity:
		d.out = b
	case base64Encoded:
		d.base64(b)
	case quotedPrintable:
		d.qp(b, last)
	case uuencoded:
		d.uu(b)
	}
	if last {
		d.lastBlock()
		d.done = true
	}
	if d.enc != identity {
		d.out = d.dec
		if d.mem == nil {
			copy(d.raw, d.in[cut:])
		}
		d.n -= cut
		return
	}
	d.n = 0
}

func (d *decoder) lastBlock() {
	if d.enc != base64Encoded || d.qn == 0 {
		return
	}
	d.damaged = true // cut off, or its padding is missing
	d.flushQuantum()
}

// Read implements io.Reader.
func (d *decoder) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if d.pos >= len(d.out) && !d.step() {
		if d.err != nil {
			return 0, d.err
		}
		return 0, io.EOF
	}
	n := copy(p, d.out[d.pos:])
	d.pos += n
	return n, nil
}
