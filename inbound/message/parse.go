package message

import (
	"io"
	"strings"

	"mxhook/inbound/message/reply"
)

// parser is the state of one Parse.
type parser struct {
	r    io.ReaderAt
	size int64
	opts Options
	lim  Limits
	msg  *Message
	seen map[string]bool // defects that are listed

	phrase             []token // memory of the address scanner
	dec                decoder
	textLeft, htmlLeft int64
	guesses            int    // of charsets
	guessed            string // the last one
	tnefLeft           int    // octets of bodies that may still be taken out of TNEF
	tnefFiles          int    // files that may still be
	nested             bool   // the message stands within one that is being parsed
}

func newParser(r io.ReaderAt, size int64, opts Options) *parser {
	lim := opts.Limits.withDefaults()
	return &parser{
		r: r, size: size, opts: opts, lim: lim, msg: new(Message),
		textLeft: int64(lim.Text), htmlLeft: int64(lim.Text),
		tnefLeft: lim.Text, tnefFiles: lim.Parts,
	}
}

// Parse reads the message that is the first size octets of r. It never fails and
// never panics: what can't be read is left out, and Defects tell. If r can't be
// read, what was read before counts, with DefectRead.
//
// It reads r about twice in blocks of 64 KiB at most, or where it stands if r is in
// memory and has it as Bytes() []byte, as inbound.MailData has, and holds text, html and the
// header section, within the limits of opts, but never an attachment. It is safe
// to call it for the same r from several goroutines if r's ReadAt is.
func Parse(r io.ReaderAt, size int64, opts Options) *Message {
	p := newParser(r, size, opts)
	p.run()
	return p.msg
}

// run parses, and turns a panic, which would be a fault of ours, into a defect, so
// that no message can stop the bridge.
func (p *parser) run() {
	p.msg.Class = ClassNormal
	p.msg.Automatic.AutoSubmitted = "no"
	p.msg.Security = Security{Signed: "none", Encrypted: "none"}
	defer func() {
		if recover() != nil {
			p.defect("", DefectInternal, "the parser failed; the message is listed as far as it was read")
		}
	}()
	w := &walker{parser: p, lr: newLineReader(p.r, p.size)}
	w.walk()
	p.noteLines(w.lr)
	p.readHeader()
	p.readBody(w.root)
	p.msg.Security = p.security(w.root)
	p.readCalendars(w.root)
	p.classify(w.root)
	p.msg.Reply = reply.Divide(p.msg.Text, p.msg.HTML)
}

func (p *parser) noteLines(l *lineReader) {
	if l.err != nil {
		p.defect("", DefectRead, "the message could not be read to its end")
	}
	if l.bareLF {
		p.defect("", DefectBareLF, "a line ends in LF alone")
	}
	if l.bareCR {
		p.defect("", DefectBareCR, "a CR that no LF follows")
	}
	if l.nul {
		p.defect("", DefectNUL, "a NUL octet")
	}
	if l.long {
		p.defect("", DefectLongLine, "a line longer than 998 octets")
	}
}

// takeHeader makes the message's header fields of the root's header section.
func (p *parser) takeHeader(h *headerBlock) {
	p.msg.Header = make([]Field, len(h.fields))
	all := string(h.buf) // one copy, of which names and bodies are parts
	for i, f := range h.fields {
		if f.cut {
			p.defect("", DefectFieldLimit, "a field longer than the limit")
		}
		start, end := bodyRange(all[f.off : f.off+f.n])
		field := Field{Name: all[f.off : f.off+f.name], Raw: all[f.off+start : f.off+end], Start: f.start, End: f.end}
		if !isASCII(field.Raw) {
			field.Raw = p.headerText([]byte(field.Raw), "")
		}
		field.Value = p.decodeWords(unfold(field.Raw), "")
		p.msg.Header[i] = field
	}
}

// field returns the unfolded body of Header[i], encoded words not decoded.
func (p *parser) field(i int) string {
	return unfold(p.msg.Header[i].Raw)
}

// first returns the unfolded body of the first field of that name.
func (p *parser) first(name string) (string, bool) {
	for i := range p.msg.Header {
		// Names are ASCII, so those of another length are others.
		if have := p.msg.Header[i].Name; len(have) == len(name) && strings.EqualFold(have, name) {
			return p.field(i), true
		}
	}
	return "", false
}
