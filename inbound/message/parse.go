package message

import (
	"io"
	"strings"
	"time"

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
	texts              map[*part]string
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
// It reads r about twice in blocks of 64 KiB at most and holds text, html and the
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
	for i, f := range h.fields {
		if f.cut {
			p.defect("", DefectFieldLimit, "a field longer than the limit")
		}
		body := h.body(f)
		field := Field{Name: string(h.buf[f.off : f.off+f.name]), Start: f.start, End: f.end}
		field.Raw = p.headerText(body, "")
		field.Value = p.decodeWords(unfold(field.Raw), "")
		p.msg.Header[i] = field
	}
}

// once are the fields that RFC 5322 3.6 and RFC 2045 allow once.
var once = map[string]bool{
	"date": true, "sender": true, "reply-to": true, "to": true, "cc": true, "bcc": true,
	"message-id": true, "in-reply-to": true, "references": true, "subject": true,
	"mime-version": true, "content-type": true, "content-transfer-encoding": true,
}

// joinedFields are the fields whose repeats are joined.
var joinedFields = map[string]bool{"from": true, "reply-to": true, "to": true, "cc": true, "bcc": true}

// field returns the unfolded body of Header[i], encoded words not decoded.
func (p *parser) field(i int) string {
	return unfold(p.msg.Header[i].Raw)
}

// first returns the unfolded body of the first field of that name.
func (p *parser) first(name string) (string, bool) {
	for i := range p.msg.Header {
		if strings.EqualFold(p.msg.Header[i].Name, name) {
			return p.field(i), true
		}
	}
	return "", false
}

// readHeader fills what stands in the header section. Of a field that may stand
// once the last counts: signatures cover that one, and whoever puts another above it
// doesn't break them (RFC 6376 8.15). The addresses of all From, Reply-To, To, Cc and
// Bcc fields are listed.
func (p *parser) readHeader() {
	m := p.msg
	count := make(map[string]int, len(m.Header))
	last := make(map[string]int, len(m.Header))
	for i, f := range m.Header {
		name := strings.ToLower(f.Name)
		count[name]++
		last[name] = i
		if count[name] > 1 && once[name] {
			p.defect("", DefectDuplicateField, "the field "+quoteShort(f.Name)+" stands more than once")
		}
	}
	for i, f := range m.Header {
		if name := strings.ToLower(f.Name); joinedFields[name] || i == last[name] {
			p.readField(name, i)
		}
	}
	if count["from"] > 1 {
		p.defect("", DefectSeveralFrom, "more than one From field")
	}
	if len(m.From) == 0 {
		p.defect("", DefectMissingFrom, "no author")
	}
	m.List = p.listFacts()
}

func (p *parser) readField(name string, i int) {
	m := p.msg
	switch name {
	case "from":
		p.addTo(&m.From, i)
	case "reply-to":
		p.addTo(&m.ReplyTo, i)
	case "to":
		p.addTo(&m.To, i)
	case "cc":
		p.addTo(&m.Cc, i)
	case "bcc":
		p.addTo(&m.Bcc, i)
	case "sender":
		if list := p.addresses(p.field(i), ""); len(list) > 0 {
			m.Sender = &list[0]
		}
	case "subject":
		m.Subject = m.Header[i].Value
	case "message-id":
		m.MessageID = p.messageID(p.field(i))
	case "in-reply-to":
		m.InReplyTo = p.messageIDs(p.field(i))
	case "references":
		m.References = p.messageIDs(p.field(i))
	case "date":
		var ok bool
		if m.Date, ok = ParseDate(p.field(i)); !ok {
			m.Date = time.Time{}
			p.defect("", DefectDate, "the Date is no date")
		}
	}
}

// addTo appends the addresses of Header[i], up to the limit.
func (p *parser) addTo(list *[]Address, i int) {
	*list = append(*list, p.addresses(p.field(i), "")...)
	if len(*list) > p.lim.Addresses {
		*list = (*list)[:p.lim.Addresses]
		p.defect("", DefectAddressLimit, "too many addresses")
	}
}
