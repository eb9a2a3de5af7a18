package dkim

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"mime/quotedprintable"
	"strings"

	"mxhook/verify/why"
)

// explainBody looks for a change that makes a body fit its bh=.
func (c *Check) explainBody(ctx context.Context, m *Message) {
	found := unknownBody
	if m != nil && c.limit < 0 {
		found = m.whatChanged(c)
	}
	why.Say(ctx, "%s", found)
}

// maxTried is for how many body hashes of one message a change is looked for: each
// costs a few passes over the body.
const maxTried = 3

func (m *Message) whatChanged(c *Check) string {
	key := string(c.hash) + canonical(c.relaxedBody)
	if found, ok := m.tried[key]; ok {
		return found
	}
	if m.tried == nil {
		m.tried = map[string]string{}
	}
	if len(m.tried) == maxTried {
		return unknownBody
	}
	m.tried[key] = unknownBody
	for _, try := range []func(*Message, *Check) string{triedAsItIs, triedOtherForm, triedDecoded} {
		if found := try(m, c); found != "" {
			m.tried[key] = found
			break
		}
	}
	return m.tried[key]
}

const unknownBody = "what was changed can't be told. Usual causes: a mailing list's footer or a gateway's warning within a part, " +
	"attachments that were taken out, a relay that re-encoded 8-bit text, line ends or blanks that were changed. Only who changed it can leave that"

func (m *Message) raw() io.Reader { return io.NewSectionReader(m.Content, m.Body, m.Size-m.Body) }

func triedAsItIs(m *Message, c *Check) string {
	p := m.probe(m.raw(), c.relaxedBody, c.hash)
	switch {
	case p.empty:
		return "bh= is the hash of a body that is empty: it was signed without its text, by the sender's own software, or the text was added later"
	case p.cut > 0:
		return fmt.Sprintf("the body fits without its last %d lines: a mailing list's footer or a scanner's note was added after it was signed. Who added it must seal (ARC) or not change the text", p.cut)
	case p.top > 0:
		return fmt.Sprintf("the body fits without its first %d lines: a gateway put a warning on top after it was signed", p.top)
	case p.lf:
		return "the body fits with line ends of LF alone: the signer hashed it before it had CRLF. That is a fault of the sender's software (RFC 6376 5.3)"
	}
	return ""
}

func triedOtherForm(m *Message, c *Check) string {
	switch p := m.probe(m.raw(), !c.relaxedBody, c.hash); {
	case p.whole && c.relaxedBody:
		return "the body fits in simple form: the signer says c=…/relaxed and hashed otherwise, a fault of its software"
	case p.whole:
		return "the body fits in relaxed form: only blanks were changed on the way. The signer should use c=relaxed/relaxed"
	case p.cut > 0 && !c.relaxedBody:
		return fmt.Sprintf("the body fits in relaxed form without its last %d lines: a footer was added and blanks were changed", p.cut)
	}
	return ""
}

// triedDecoded undoes an encoding of the whole body.
func triedDecoded(m *Message, c *Check) string {
	for _, f := range m.Header {
		if !f.Is("Content-Transfer-Encoding") {
			continue
		}
		var decoded io.Reader
		encoding := strings.ToLower(compact(f.Value()))
		switch encoding {
		case "quoted-printable":
			decoded = quotedprintable.NewReader(m.raw())
		case "base64":
			decoded = base64.NewDecoder(base64.StdEncoding, bufio.NewReader(m.raw()))
		default:
			return ""
		}
		if p := m.probe(decoded, c.relaxedBody, c.hash); p.whole {
			return "the body fits once its " + encoding + " is undone: it was signed as 8-bit text, and a relay re-encoded it for a server without 8BITMIME. The sender should sign what is encoded already (RFC 6376 5.3)"
		}
	}
	return ""
}

// probe canonicalizes a body and tries its beginnings and ends. What can't be read to
// its end is tried as far as it goes.
func (m *Message) probe(r io.Reader, relaxed bool, want []byte) *prober {
	p := &prober{want: want, text: sha256.New(), bare: sha256.New(), begin: true}
	body := &canonicalBody{relaxed: relaxed, hash: p}
	body.want(-1)
	block := make([]byte, 32<<10)
	for {
		n, err := r.Read(block)
		body.Write(block[:n])
		if err != nil {
			break
		}
	}
	body.Close()
	p.end()
	return p
}

// Limits of what is tried: lines that could be the last, lines that could be the first.
const (
	maxLast = 1 << 17
	maxTop  = 16
)

// prober takes a canonical body as a hash does, and tries which beginning or end of it
// has the wanted hash.
type prober struct {
	hash.Hash // nil; Write and Sum are all that is asked of it

	want             []byte
	text, bare       hash.Hash // of all lines, with CRLF and with LF
	later            []hash.Hash
	begin            bool // a line begins
	content          bool // the line is not empty
	lines, fit       int  // lines so far, and after which of them it fitted
	whole, lf, empty bool
	cut, top         int
}

func (p *prober) Write(b []byte) (int, error) {
	size := len(b)
	for len(b) > 0 {
		if p.begin && p.lines > 0 && p.lines <= maxTop {
			p.later = append(p.later, sha256.New())
		}
		end := bytes.IndexByte(b, '\n') + 1
		line := b[:max(end, 0)]
		if end == 0 {
			line = b
		}
		p.line(line, end > 0)
		b = b[len(line):]
	}
	return size, nil
}

func (p *prober) line(b []byte, ends bool) {
	p.text.Write(b)
	for _, h := range p.later {
		h.Write(b)
	}
	p.bare.Write(bytes.ReplaceAll(b, []byte("\r"), nil))
	p.content = p.content && !p.begin || len(bytes.Trim(b, "\r\n")) > 0
	if p.begin = ends; !ends {
		return
	}
	p.lines++
	if p.content && p.lines <= maxLast && p.fit == 0 && bytes.Equal(p.text.Sum(nil), p.want) {
		p.fit = p.lines
	}
	p.content = false
}

// Sum is asked for where the canonical body ends.
func (p *prober) Sum(b []byte) []byte { return p.text.Sum(b) }

func (p *prober) end() {
	fits := func(h hash.Hash) bool { return bytes.Equal(h.Sum(nil), p.want) }
	p.whole, p.lf = fits(p.text), fits(p.bare)
	if p.fit > 0 {
		p.cut = p.lines - p.fit
	}
	for i, h := range p.later {
		if fits(h) && p.top == 0 {
			p.top = i + 1
		}
	}
	for _, nothing := range []string{"", "\r\n"} {
		sum := sha256.Sum256([]byte(nothing))
		p.empty = p.empty || bytes.Equal(sum[:], p.want)
	}
}

// maxTries is how many changes of the header are tried for one signature.
const maxTries = 60

// culprit tries changes of the header that people and programs make on the way, and
// tells the one without which the signature holds.
func (p *Picker) culprit(c *Check) string {
	holds := func(name string, at int, with []pick) bool {
		fields := append(append(append([]pick{}, p.fields[name][:at]...), with...), p.fields[name][at+1:]...)
		changed := &Picker{fields: map[string][]pick{}}
		for n, f := range p.fields {
			changed.fields[n] = f
		}
		changed.fields[name] = fields
		return c.key.verify(changed.digest(c.signature), c.sig)
	}
	for at, f := range p.fields["subject"] {
		name, value, _ := strings.Cut(f.raw, ":")
		blank := value[:len(value)-len(strings.TrimLeft(value, fws))]
		for text := value[len(blank):]; ; {
			_, rest, tagged := strings.Cut(text, "]")
			if !tagged || !strings.HasPrefix(text, "[") || at >= maxTries {
				break
			}
			text = strings.TrimLeft(rest, fws)
			if holds("subject", at, []pick{{raw: name + ":" + blank + text}}) {
				return "the Subject is without what stands in brackets at its beginning"
			}
		}
	}
	tries := 0
	for _, name := range c.headers {
		for at := range p.fields[name] {
			if tries++; tries > maxTries {
				return ""
			}
			if fieldName(name) && holds(name, at, nil) {
				return "a field " + name + " is left out"
			}
		}
	}
	return ""
}
