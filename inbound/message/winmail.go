package message

import (
	"crypto/sha256"
	"io"
	"sort"
	"strconv"
	"strings"

	"mxhook/inbound/message/tnef"
)

// isTNEF tells whether the part is Outlook's or Exchange's container.
func (pt *part) isTNEF(a *Attachment) bool {
	return a.ContentType == "application/ms-tnef" || a.ContentType == "application/vnd.ms-tnef" ||
		strings.EqualFold(a.Filename, "winmail.dat")
}

// openTNEF lists the files that the part holds, and takes its body where the
// message has none. It tells whether that is all: otherwise the part itself must
// be listed, so that nothing is lost.
func (p *parser) openTNEF(pt *part) (all bool) {
	d := new(decoder)
	d.reset(p.r, pt.start, pt.end, p.transfer(pt))
	stream := &markedReader{d: d}
	lim := tnef.Limits{Files: max(p.tnefFiles, 1), Body: max(p.tnefLeft, 1)}
	m, err := tnef.Read(stream, decodePage, lim)
	if err != nil {
		p.defect(pt.num, DefectTNEF, "winmail.dat")
	}
	if m == nil {
		return false
	}
	if m.Limited {
		p.defect(pt.num, DefectTNEFLimit, "winmail.dat")
	}
	p.tnefBody(pt, m)
	p.tnefFilesOf(pt, m, stream)
	return err == nil && !m.Limited
}

// tnefBody takes text and HTML where the message has none.
func (p *parser) tnefBody(pt *part, m *tnef.Message) {
	p.tnefLeft -= len(m.Text) + len(m.HTML)
	msg := p.msg
	if strings.TrimSpace(msg.Text) == "" && m.Text != "" {
		msg.Text, msg.TextFromHTML = string(newlines([]byte(m.Text))), false
	}
	if msg.HTML != "" || m.HTML == "" {
		return
	}
	msg.HTML = string(newlines([]byte(m.HTML)))
	if strings.TrimSpace(msg.Text) != "" {
		return
	}
	html := msg.HTML
	if len(html) > p.lim.HTMLToText {
		p.defect(pt.num, DefectHTMLLimit, "only the beginning became text")
		html = strings.ToValidUTF8(html[:p.lim.HTMLToText], "")
	}
	msg.Text, msg.TextFromHTML = htmlToText(html), true
}

// tnefFilesOf lists the files of m, and of each message that is embedded in it its
// body, under its subject, and its files.
func (p *parser) tnefFilesOf(pt *part, m *tnef.Message, stream *markedReader) {
	for i := range m.Files {
		f := &m.Files[i]
		p.tnefFiles--
		if f.Message == nil {
			p.msg.Attachments = append(p.msg.Attachments, p.tnefFile(pt, f, stream))
			continue
		}
		if a, ok := p.tnefMessage(pt, f); ok {
			p.msg.Attachments = append(p.msg.Attachments, a)
		}
		p.tnefFilesOf(pt, f.Message, stream)
	}
}

func (p *parser) tnefFile(pt *part, f *tnef.File, stream *markedReader) Attachment {
	a := Attachment{
		Filename:    p.fitName(strings.TrimSpace(neutral(f.Name)), pt.num),
		ContentType: neutral(f.ContentType),
		Disposition: "attachment",
		ContentID:   neutral(f.ContentID),
		Size:        f.Size,
		SHA256:      f.SHA256,
	}
	if a.ContentType == "" {
		a.ContentType = "application/octet-stream"
	}
	if f.Inline {
		a.Disposition = "inline"
	}
	r, end, enc, from, start, size := p.r, pt.end, stream.d.enc, stream.before(f.Start), f.Start, f.Size
	a.open = func() io.Reader {
		d := new(decoder)
		d.resume(r, end, enc, from)
		return &section{d: d, skip: start - from.at, left: size}
	}
	return a
}

// tnefMessage makes an attachment of the body of an embedded message.
func (p *parser) tnefMessage(pt *part, f *tnef.File) (a Attachment, ok bool) {
	body, kind, ext := f.Message.HTML, "text/html", ".html"
	if body == "" {
		body, kind, ext = f.Message.Text, "text/plain", ".txt"
	}
	if body == "" {
		return a, false
	}
	name := emlName(neutral(f.Name))
	a = Attachment{
		Filename:    p.fitName(strings.TrimSuffix(name, ".eml")+ext, pt.num),
		ContentType: kind, Charset: "utf-8", Disposition: "attachment",
		Size: int64(len(body)), SHA256: sha256.Sum256([]byte(body)),
	}
	p.tnefLeft -= len(body)
	a.open = func() io.Reader { return strings.NewReader(body) }
	return a, true
}

// mark is where a decoder stands between two of its blocks.
type mark struct {
	at, off int64 // of the decoded octets, of the message
	quantum [4]byte
	qn      uint8
	padded  bool
	begun   bool
}

// markedReader reads what d decodes and notes where each block begins, so that a
// range in its middle can be read later without all that stands before it.
type markedReader struct {
	d     *decoder
	at    int64
	marks []mark
}

func (m *markedReader) Read(b []byte) (int, error) {
	d := m.d
	if d.pos >= len(d.out) {
		now := mark{m.at, d.off - int64(d.n), d.quantum, uint8(d.qn), d.padded, d.begun}
		if !d.step() {
			if d.err != nil {
				return 0, d.err
			}
			return 0, io.EOF
		}
		m.marks = append(m.marks, now)
	}
	n := copy(b, d.out[d.pos:])
	d.pos += n
	m.at += int64(n)
	return n, nil
}

// before returns the last mark that is not behind the offset at.
func (m *markedReader) before(at int64) mark {
	i := sort.Search(len(m.marks), func(i int) bool { return m.marks[i].at > at })
	if i == 0 {
		return mark{}
	}
	return m.marks[i-1]
}

// resume makes d decode from a mark on.
func (d *decoder) resume(r io.ReaderAt, end int64, enc transfer, from mark) {
	d.reset(r, from.off, end, enc)
	d.quantum, d.qn, d.padded, d.begun = from.quantum, int(from.qn), from.padded, from.begun
}

// section is a range of what d decodes.
type section struct {
	d          *decoder
	skip, left int64
}

func (s *section) Read(b []byte) (int, error) {
	for s.skip > 0 {
		if s.d.pos >= len(s.d.out) && !s.d.step() {
			break
		}
		n := min(s.skip, int64(len(s.d.out)-s.d.pos))
		s.d.pos += int(n)
		s.skip -= n
	}
	if s.left <= 0 {
		return 0, io.EOF
	}
	n, err := s.d.Read(b[:min(int64(len(b)), s.left)])
	s.left -= int64(n)
	return n, err
}

// pageNames are the charsets of Windows code pages that are not called after them.
var pageNames = map[int]string{
	0: "windows-1252", 437: "cp437", 850: "cp850", 858: "cp858", 852: "ibm852", 855: "ibm855", 866: "ibm866", 932: "shift_jis",
	936: "gbk", 949: "euc-kr", 950: "big5", 1200: "utf-16le", 1201: "utf-16be", 10000: "macintosh",
	20127: "windows-1252", 20866: "koi8-r", 20932: "euc-jp", 21866: "koi8-u", 50220: "iso-2022-jp",
	50221: "iso-2022-jp", 50222: "iso-2022-jp", 51932: "euc-jp", 51936: "gbk", 51949: "euc-kr",
	52936: "hz-gb-2312", 54936: "gb18030", 65000: "utf-7", 65001: "utf-8",
}

// decodePage decodes octets of a Windows code page.
func decodePage(b []byte, page int) string {
	name := pageNames[page]
	switch {
	case isASCII(b) && page != 1200 && page != 1201 && page != 65000 && (page < 50220 || page > 50222) && page != 52936:
		return string(b)
	case name != "":
	case page >= 28591 && page <= 28605:
		name = "iso-8859-" + strconv.Itoa(page-28590)
	default:
		name = "windows-" + strconv.Itoa(page)
	}
	if kind, _ := lookupCharset(name); kind == charsetUnknown {
		name = "windows-1252"
	}
	text, _ := decodeCharset(b, name)
	return text
}
