package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"mxhook/sinks"
)

// Multipart builds a body of multipart/form-data (RFC 7578). It belongs to one
// goroutine.
type Multipart struct {
	boundary string
	body     Body
}

// NewMultipart begins one for an event. The boundary is the same for the same message,
// so that a repeat has the same octets, and nobody can put it into a message: it
// depends on the digest of all of its octets.
func NewMultipart(e *sinks.Event) *Multipart {
	h := sha256.New()
	sum := e.Data.SHA256()
	h.Write(sum[:])
	h.Write([]byte("multipart " + e.ID))
	return &Multipart{boundary: "mxhook-" + hex.EncodeToString(h.Sum(nil)[:18])}
}

// Field adds a field.
func (m *Multipart) Field(name, value string) { m.FieldSource(name, "", TextSource(value)) }

// FieldSource adds a field whose value is what src yields. contentType may be "".
func (m *Multipart) FieldSource(name, contentType string, src Source) {
	m.part(`name="`+quoteParameter(name)+`"`, contentType, src)
}

// File adds a file.
func (m *Multipart) File(name, filename, contentType string, src Source) {
	m.part(`name="`+quoteParameter(name)+`"; filename="`+quoteParameter(filename)+`"`, contentType, src)
}

func (m *Multipart) part(parameters, contentType string, src Source) {
	var b strings.Builder
	b.WriteString("--" + m.boundary + "\r\nContent-Disposition: form-data; " + parameters + "\r\n")
	if contentType != "" {
		b.WriteString("Content-Type: " + quoteParameter(contentType) + "\r\n")
	}
	b.WriteString("\r\n")
	m.body.addBytes([]byte(b.String()))
	m.body.addStream(src.segment())
	m.body.addBytes([]byte("\r\n"))
}

// Body returns the form. It may be called once.
func (m *Multipart) Body() *Body {
	m.body.addBytes([]byte("--" + m.boundary + "--\r\n"))
	m.body.contentType = "multipart/form-data; boundary=" + m.boundary
	return &m.body
}

// quoteParameter writes a name as browsers do (WHATWG HTML 4.10.21.8): what would end
// the quotes or the line is percent-encoded, all else is UTF-8 as it is. So is a
// backslash, which readers take for an escape, and every control character: one makes
// Go's reader refuse the whole form.
func quoteParameter(s string) string {
	const hex = "0123456789ABCDEF"
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == '"' || c == '\\' {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
