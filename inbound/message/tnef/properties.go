package tnef

import (
	"mime"
	"path"
	"strings"
)

// Types of properties (MS-OXCDATA 2.11.1).
const (
	typeObject  = 0x0d
	typeString8 = 0x1e
	typeUnicode = 0x1f
	typeBinary  = 0x102
	multiValued = 0x1000
	isNamed     = 0x8000
)

// Properties (MS-OXPROPS).
const (
	propSubject        = 0x0037
	propBody           = 0x1000
	propRTF            = 0x1009
	propHTML           = 0x1013
	propDisplayName    = 0x3001
	propAttachData     = 0x3701
	propFilename       = 0x3704
	propLongFilename   = 0x3707
	propMIMETag        = 0x370e
	propContentID      = 0x3712
	propAttachFlags    = 0x3714
	propCodePage       = 0x3ffd
	propInternetPage   = 0x3fde
	propHidden         = 0x7ffe
	renderedInBody     = 0x4
	iidMessage         = "\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"
	guidSize, kindName = 16, 1
)

// property is a property whose first value follows in the stream.
type property struct{ id, kind uint16 }

// fixedSize is how long values of fixed types are.
var fixedSize = map[uint16]int64{
	0x02: 2, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0a: 4, 0x0b: 2, 0x14: 8, 0x40: 8, 0x48: 16,
}

// properties reads a list of properties (MS-OXTNEF 2.1.3.4) that ends at the offset
// end, and gives the first value of each to use, with the offset where it ends.
func (b *builder) properties(end int64, use func(p property, stop int64)) {
	s := b.s
	for n := s.u32(end); n > 0 && s.err == nil; n-- {
		kind, id := s.u16(end), s.u16(end)
		if id >= isNamed {
			s.skip(guidSize, end)
			if s.u32(end) == kindName {
				l := int64(s.u32(end))
				s.skip(padded(l), end)
			} else {
				s.skip(4, end)
			}
		}
		b.values(property{id, kind}, end, use)
	}
}

// values reads the values of a property.
func (b *builder) values(p property, end int64, use func(p property, stop int64)) {
	s := b.s
	base := p.kind &^ multiValued
	size, fixed := fixedSize[base]
	variable := base == typeObject || base == typeString8 || base == typeUnicode || base == typeBinary
	if !fixed && !variable {
		s.damaged()
		return
	}
	count := uint32(1)
	if variable || p.kind&multiValued != 0 {
		count = s.u32(end)
	}
	for i := uint32(0); i < count && s.err == nil; i++ {
		if variable {
			size = int64(s.u32(end))
		}
		if s.err != nil || size > end-s.off {
			s.damaged()
			return
		}
		stop := s.off + size
		if i == 0 && p.id < isNamed {
			use(property{p.id, base}, stop)
		}
		s.skip(stop-s.off, stop)
		s.skip(min(padded(size)-size, end-stop), end)
	}
}

// padded returns n with the padding that follows a value.
func padded(n int64) int64 { return (n + 3) &^ 3 }

func (b *builder) messageProperty(p property, stop int64) {
	s := b.s
	str := p.kind == typeString8 || p.kind == typeUnicode
	switch {
	case p.id == propSubject && str:
		b.subject = text{s.short(stop), p.kind == typeUnicode}
	case p.id == propBody && str:
		b.body = text{s.long(stop), p.kind == typeUnicode}
	case p.id == propHTML && p.kind != typeObject && fixedSize[p.kind] == 0:
		b.html = text{s.long(stop), p.kind == typeUnicode}
	case p.id == propRTF && p.kind == typeBinary:
		b.rtf(s.long(stop))
	case p.id == propCodePage && p.kind == 3:
		b.codePage = int(s.u32(stop))
	case p.id == propInternetPage && p.kind == 3:
		b.internet = int(s.u32(stop))
	}
}

// rtf decompresses a body.
func (b *builder) rtf(compressed []byte) {
	var cut bool
	b.m.RTF, cut = decompress(compressed, b.s.bodyLeft)
	b.s.limited = b.s.limited || cut
	b.s.bodyLeft -= len(b.m.RTF)
}

func (b *builder) fileProperty(f *file, p property, stop int64) {
	s := b.s
	if p.kind == typeString8 || p.kind == typeUnicode {
		if into := f.text(p.id); into != nil {
			*into = text{s.short(stop), p.kind == typeUnicode}
		}
		return
	}
	switch {
	case p.id == propAttachFlags && p.kind == 3:
		f.flags = s.u32(stop)
	case p.id == propHidden && p.kind == 0x0b:
		f.hidden = s.u16(stop) != 0
	case p.id == propAttachData && p.kind == typeBinary:
		f.content(s, stop)
	case p.id == propAttachData && p.kind == typeObject:
		b.object(f, stop)
	}
}

// text returns where a property of f that is a string belongs.
func (f *file) text(id uint16) *text {
	switch id {
	case propDisplayName:
		return &f.display
	case propFilename:
		return &f.short
	case propLongFilename:
		return &f.long
	case propMIMETag:
		return &f.mime
	case propContentID:
		return &f.cid
	}
	return nil
}

// object reads an embedded message, or an object of another program, whose octets
// are the file's.
func (b *builder) object(f *file, stop int64) {
	s := b.s
	var iid [16]byte
	if !s.full(iid[:], stop) {
		return
	}
	if string(iid[:]) != iidMessage {
		f.content(s, stop)
		return
	}
	if b.depth+1 > s.lim.Depth {
		s.limited = true
		return
	}
	inner := newBuilder(s, b.depth+1)
	inner.codePage = b.codePage
	inner.message(stop)
	f.Message, f.has = inner.finish(), false
	f.Start, f.Size, f.SHA256 = 0, 0, [32]byte{}
}

// types are those of extensions that Outlook attaches without saying a type.
var types = map[string]string{
	".bmp": "image/bmp", ".csv": "text/csv", ".doc": "application/msword", ".gif": "image/gif",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".eml":  "message/rfc822", ".htm": "text/html", ".html": "text/html", ".ics": "text/calendar",
	".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".mp3": "audio/mpeg", ".mp4": "video/mp4",
	".msg": "application/vnd.ms-outlook", ".pdf": "application/pdf", ".png": "image/png",
	".ppt":  "application/vnd.ms-powerpoint",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".rtf":  "application/rtf", ".tif": "image/tiff", ".tiff": "image/tiff", ".txt": "text/plain",
	".vcf": "text/vcard", ".wav": "audio/wav", ".xls": "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".xml":  "application/xml", ".zip": "application/zip",
}

// mediaType returns what was declared, if it is a media type, else what the
// extension of the name says.
func mediaType(declared, name string) string {
	if t, _, err := mime.ParseMediaType(declared); err == nil && strings.Contains(t, "/") {
		return t
	}
	return types[strings.ToLower(path.Ext(name))]
}
