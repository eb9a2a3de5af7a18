// Package tnef reads the Transport Neutral Encapsulation Format (MS-OXTNEF), the
// winmail.dat that Outlook and Exchange send instead of MIME parts: its files, its
// body, and messages that are embedded in it.
//
// It reads a stream once, from front to back, and holds names and bodies within
// limits, never a file: a file is a range of the stream. Its cost is linear in the
// octets that it reads. It has no state and is safe for concurrent use.
package tnef

import (
	"bytes"
	"errors"
	"io"
)

// ErrFormat says that the stream does not begin as TNEF.
var ErrFormat = errors.New("not TNEF")

// ErrDamaged says that the stream ends early or contradicts itself. What came
// before is in the result.
var ErrDamaged = errors.New("damaged TNEF")

// Limits bound what is read. A field that is 0 has its default.
type Limits struct {
	Files int // files and embedded messages in all, 1000
	Depth int // embedded messages within each other, 8; a deeper one is skipped
	Body  int // octets of bodies held in all, of compressed ones after decompression, 8 MiB
}

// Message is what one TNEF stream, or a message embedded in it, holds.
type Message struct {
	Subject string
	Text    string // as it stands; line ends as written
	HTML    string // as it stands, or taken out of RTF that encapsulates HTML (MS-OXRTFEX)
	RTF     []byte // decompressed (MS-OXRTFCP), nil without one
	Files   []File // in the order of the stream
	Limited bool   // a limit left something out, here or in an embedded message
}

// File is an attachment.
type File struct {
	Name        string // as the sender named it; never a path to be trusted
	ContentType string // as declared, else by the extension of Name, lower case; "" if neither says it
	ContentID   string // without angle brackets
	Inline      bool   // HTML refers to it
	Start, Size int64  // range of the stream
	SHA256      [32]byte
	Message     *Message // not nil for an embedded message; Start, Size and SHA256 are zero then
}

// Decode returns octets of a Windows code page (0 is unknown) as UTF-8.
type Decode func(b []byte, codePage int) string

// Read reads a stream. The error is ErrFormat, with no message, ErrDamaged, or that
// of r; beside the latter two stands what was read before.
func Read(r io.Reader, decode Decode, lim Limits) (*Message, error) {
	if lim.Files <= 0 {
		lim.Files = 1000
	}
	if lim.Depth <= 0 {
		lim.Depth = 8
	}
	if lim.Body <= 0 {
		lim.Body = 8 << 20
	}
	s := &stream{r: r, decode: decode, lim: lim, bodyLeft: lim.Body}
	b := newBuilder(s, 0)
	b.message(maxOffset)
	if !s.signed && !errors.Is(s.err, errRead) {
		return nil, ErrFormat
	}
	m := b.finish()
	m.Limited = s.limited
	if errors.Is(s.err, errRead) {
		return m, s.cause
	}
	return m, s.err
}

// attributes of a stream (MS-OXTNEF 2.1.3.2): type in the high half, id in the low.
const (
	attSubject       = 0x00018004
	attBody          = 0x0002800c
	attAttachData    = 0x0006800f
	attAttachTitle   = 0x00018010
	attRenderData    = 0x00069002
	attProperties    = 0x00069003
	attAttachment    = 0x00069005
	attOEMCodePage   = 0x00069007
	signature        = 0x223e9f78
	attributesHeader = 9
)

// text is a string that waits for the code page that may come after it.
type text struct {
	b       []byte
	unicode bool
}

// builder collects one message.
type builder struct {
	s        *stream
	depth    int
	m        Message
	codePage int // of strings
	internet int // of HTML
	subject  text
	body     text
	html     text
	files    []*file
}

// file is a File with its names not yet decoded.
type file struct {
	File
	long, title, short, display, mime, cid text
	flags                                  uint32
	hidden, has                            bool
}

func newBuilder(s *stream, depth int) *builder { return &builder{s: s, depth: depth} }

// message reads the attributes up to the offset end.
func (b *builder) message(end int64) {
	s := b.s
	if s.u32(end) != signature {
		s.damaged()
		return
	}
	s.signed = true
	s.skip(2, end)
	for s.err == nil && s.off < end {
		level, ok := s.level(end)
		if !ok || level != 1 && level != 2 {
			return // octets after the last attribute
		}
		tag, n := s.u32(end), int64(s.u32(end))
		if s.err != nil {
			return
		}
		if n > end-s.off {
			s.damaged()
			return
		}
		stop := s.off + n
		b.attribute(tag, level, stop)
		s.skip(stop-s.off, stop)
		s.skip(2, end) // the checksum, which many writers get wrong
	}
}

func (b *builder) attribute(tag uint32, level byte, stop int64) {
	s := b.s
	switch tag {
	case attOEMCodePage:
		b.codePage = int(s.u32(stop))
	case attSubject:
		b.subject.b = s.short(stop)
	case attBody:
		b.body.b = s.long(stop)
	case attProperties:
		b.properties(stop, b.messageProperty)
	case attRenderData:
		b.newFile()
	}
	if level != 2 {
		return
	}
	switch tag {
	case attAttachTitle:
		if f := b.file(); f != nil {
			f.title.b = s.short(stop)
		}
	case attAttachData:
		if f := b.file(); f != nil && f.Message == nil {
			f.content(s, stop)
		}
	case attAttachment:
		if f := b.file(); f != nil {
			b.properties(stop, func(p property, stop int64) { b.fileProperty(f, p, stop) })
		}
	}
}

// newFile begins another attachment; nil if there are too many.
func (b *builder) newFile() {
	if b.s.files++; b.s.files > b.s.lim.Files {
		b.s.limited = true
		b.files = append(b.files[:min(len(b.files), b.s.lim.Files)], nil)
		return
	}
	b.files = append(b.files, new(file))
}

// file returns the attachment that is being read; nil beyond the limit.
func (b *builder) file() *file {
	if len(b.files) == 0 {
		b.newFile()
	}
	return b.files[len(b.files)-1]
}

// finish decodes what waited for a code page.
func (b *builder) finish() *Message {
	m := &b.m
	m.Subject = b.string(b.subject)
	m.Text = b.string(b.body)
	if m.HTML == "" {
		page := b.internet
		if b.html.unicode || page == 0 {
			page = b.codePage
		}
		m.HTML = b.decode(b.html, page)
	}
	if m.RTF != nil && m.HTML == "" {
		text, html := readRTF(m.RTF, b.s.decode, b.s.lim.Body)
		if html {
			m.HTML = text
		} else if m.Text == "" {
			m.Text = text
		}
	}
	for _, f := range b.files {
		if f == nil || !f.has && f.Message == nil {
			continue
		}
		m.Files = append(m.Files, b.finishFile(f))
	}
	return m
}

func (b *builder) finishFile(f *file) File {
	out := f.File
	names := []text{f.long, f.title, f.short, f.display}
	if f.Message != nil {
		names = []text{f.display, f.long, f.title}
		if s := f.Message.Subject; s != "" {
			out.Name = s
		}
	}
	for _, name := range names {
		if out.Name != "" {
			break
		}
		out.Name = b.string(name)
	}
	out.ContentType = mediaType(b.string(f.mime), out.Name)
	out.ContentID = string(bytes.Trim([]byte(b.string(f.cid)), "<> "))
	out.Inline = out.ContentID != "" && (f.hidden || f.flags&renderedInBody != 0)
	return out
}

func (b *builder) string(t text) string { return b.decode(t, b.codePage) }

// decode returns t up to its first NUL.
func (b *builder) decode(t text, page int) string {
	if len(t.b) == 0 {
		return ""
	}
	if t.unicode {
		return utf16LE(t.b)
	}
	if k := bytes.IndexByte(t.b, 0); k >= 0 {
		t.b = t.b[:k]
	}
	return b.s.decode(t.b, page)
}
