package message

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Edit puts other octets in the place of some of a message's. Start and End are equal
// where it only adds some.
type Edit struct {
	Start, End int64
	Size       int64            // octets that Open's reader yields
	Open       func() io.Reader // a new reader from the start
}

const (
	maxEdits  = 20_000 // what would need more keeps the octets that it has
	maxNested = 8      // messages within messages
)

// Downgrade returns the edits, in order and apart from each other, that take octets which
// are no UTF-8 out of a message without a loss to its reader, as a gateway may for a next
// hop that takes no 8BITMIME (RFC 6152 3): text becomes quoted-printable, other content
// base64, and a field of a header section the UTF-8 that Parse reads in it. UTF-8 stays as
// it is. field is one that belongs into the header section of the message, which has none;
// it is "" mostly.
//
// Such octets stay where they are no content (before and after the parts of a multipart),
// in uuencoded files, in reports for machines (message/delivery-status) and beyond the limits of opts.
//
// It reads the message about three times; the readers read it again.
func Downgrade(r io.ReaderAt, size int64, opts Options) (edits []Edit, field string) {
	d := &downgrade{r: r, opts: opts}
	field = d.message(0, size, 0)
	slices.SortFunc(d.edits, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	return d.edits, field
}

type downgrade struct {
	r     io.ReaderAt
	opts  Options
	edits []Edit
}

// encodingField is where the Content-Transfer-Encoding of a part stands or would stand.
type encodingField struct {
	fields []rawField // those that it has
	at     int64      // behind its last field
	any    bool       // it has a field
}

// message adds the edits of the message at r[base:base+size]. top is the field that the
// outermost one lacks a place for.
func (d *downgrade) message(base, size int64, depth int) (top string) {
	section := io.NewSectionReader(d.r, base, size)
	p := newParser(section, size, d.opts)
	places := map[*part]encodingField{}
	w := &walker{parser: p, lr: newLineReader(section, size)}
	w.headerSeen = func(pt *part, h *headerBlock) {
		e := encodingField{at: h.start, any: len(h.fields) > 0}
		for _, f := range h.fields {
			e.at = f.end
			switch {
			case equalFold(h.buf[f.off:f.off+f.name], "Content-Transfer-Encoding"):
				e.fields = append(e.fields, f)
			case !utf8.Valid(h.buf[f.off : f.off+f.n]):
				d.header(base+f.start, base+f.end)
			}
		}
		places[pt] = e
	}
	w.walk()
	var leaves func(pt *part)
	leaves = func(pt *part) {
		if pt.multi {
			for _, k := range pt.kids {
				leaves(k)
			}
			return
		}
		if t := d.leaf(pt, places[pt], base, depth); t != "" {
			top = t
		}
	}
	leaves(w.root)
	return top
}

func (d *downgrade) add(e Edit) {
	if len(d.edits) < maxEdits {
		d.edits = append(d.edits, e)
	}
}

// header replaces a field by the UTF-8 that is read in it.
func (d *downgrade) header(start, end int64) {
	text := func() string {
		b := make([]byte, end-start)
		if _, err := d.r.ReadAt(b, start); err != nil && err != io.EOF {
			return "" // who reads the message meets the error
		}
		return newParser(nil, 0, d.opts).headerText(b, "")
	}
	if end-start <= int64(d.opts.Limits.withDefaults().FieldBytes) {
		d.add(Edit{Start: start, End: end, Size: int64(len(text())), Open: func() io.Reader { return strings.NewReader(text()) }})
	}
}

// leaf adds the edits of a part that has no parts.
func (d *downgrade) leaf(pt *part, e encodingField, base int64, depth int) (top string) {
	start, end := base+pt.start, base+pt.end
	if end <= start || strings.HasPrefix(pt.declared, "multipart/") || isUTF8(d.r, start, end) {
		return ""
	}
	enc, _ := transferOf(pt.cte)
	switch {
	case enc == quotedPrintable:
		d.body(start, end, func(r io.Reader) io.Reader { return &eightBit{src: r, escape: true} })
		return ""
	case enc == base64Encoded:
		d.body(start, end, func(r io.Reader) io.Reader { return &eightBit{src: r} })
		return ""
	case enc != identity:
		return ""
	case pt.media == "message/rfc822" || pt.media == "message/global":
		if depth < maxNested {
			d.message(start, end-start, depth+1)
		}
		return ""
	case strings.HasPrefix(pt.media, "message/"):
		return ""
	}
	word := "base64"
	if strings.HasPrefix(pt.media, "text/") {
		word = "quoted-printable"
		d.body(start, end, func(r io.Reader) io.Reader { return newQuoted(r) })
	} else {
		d.body(start, end, func(r io.Reader) io.Reader { return &base64Lines{src: r} })
	}
	field := "Content-Transfer-Encoding: " + word + "\r\n"
	blank := ""
	if !blankBefore(d.r, start, base+e.at) {
		blank = "\r\n" // or the first line of the body could become a field
	}
	text := func(at, end int64, s string) {
		d.add(Edit{Start: at, End: end, Size: int64(len(s)), Open: func() io.Reader { return strings.NewReader(s) }})
	}
	for i, f := range e.fields {
		if i > 0 {
			field = ""
		}
		text(base+f.start, base+f.end, field)
	}
	switch {
	case len(e.fields) > 0:
		field = ""
	case !e.any && base == 0 && pt.parent == nil:
		return field // trace puts it before, with the empty line that is missing
	}
	if field+blank != "" {
		text(base+e.at, base+e.at, field+blank)
	}
	return ""
}

func (d *downgrade) body(start, end int64, encode func(io.Reader) io.Reader) {
	open := func() io.Reader { return encode(io.NewSectionReader(d.r, start, end-start)) }
	size, err := io.Copy(io.Discard, open())
	if err != nil {
		return // who reads the message meets the error
	}
	d.add(Edit{Start: start, End: end, Size: size, Open: open})
}

// blankBefore tells whether an empty line stands between at, where a line begins, and the
// body that starts behind it.
func blankBefore(r io.ReaderAt, start, at int64) bool {
	if start <= at {
		return false
	}
	var b [4]byte
	p := b[:min(4, start-at)]
	n, _ := r.ReadAt(p, start-int64(len(p)))
	p, ok := bytes.CutSuffix(p[:n], []byte("\n"))
	p = bytes.TrimRight(p, "\r")
	return ok && (len(p) == 0 || p[len(p)-1] == '\n')
}

// isUTF8 tells whether r[start:end] is.
func isUTF8(r io.ReaderAt, start, end int64) bool {
	buf := make([]byte, min(end-start, blockSize))
	kept := 0
	for at := start; at < end; {
		n, err := r.ReadAt(buf[kept:kept+int(min(int64(len(buf)-kept), end-at))], at)
		at += int64(n)
		p := buf[:kept+n]
		whole := len(p)
		if at < end && err == nil {
			whole = len(p) - unfinished(p)
		}
		if !utf8.Valid(p[:whole]) {
			return false
		}
		if err != nil {
			return true
		}
		kept = copy(buf, p[whole:])
	}
	return true
}

// unfinished is how many octets at the end of p may go on as a character.
func unfinished(p []byte) int {
	for k := 1; k < utf8.UTFMax && k <= len(p); k++ {
		if c := p[len(p)-k]; utf8.RuneStart(c) {
			if !utf8.FullRune(p[len(p)-k:]) {
				return k
			}
			break
		}
	}
	return 0
}
