package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"mxhook/inbound/message"
)

// A mark stands in the JSON for a string that is streamed: ["",N] for the stream of
// that number. It can't be met anywhere else: a quote inside a string is always escaped,
// so these octets are an array whose first element is "" and whose second is a number,
// and no payload has such an array.
const markBegin = `["",`

// JSON collects the streamed strings of a JSON text while its values are built. The
// zero value is ready; it belongs to one goroutine and makes one Body.
type JSON struct {
	streams   []segment
	first     string  // the first text that became a segment
	firstText segment // which it became
}

const (
	// shortText is the length up to which a text is encoded with the small parts, which
	// costs more for each octet and less for each text.
	shortText = 256
	// inlineText is the length up to which a text is escaped when it is given. A longer
	// one is escaped when it is read, so that a body of megabytes isn't held a second time.
	inlineText = 64 * 1024
)

// Text is the value of a string that may be long.
func (j *JSON) Text(s string) any {
	switch {
	case len(s) <= shortText:
		return s
	case j.first == s: // what the writer added is most often all of the text
		return j.stream(j.firstText)
	}
	text := textOf(s)
	if j.first == "" {
		j.first, j.firstText = s, text
	}
	return j.stream(text)
}

// Stream is the value of a string whose inside is what src yields: octets that need no
// escape in JSON, such as base64.
func (j *JSON) Stream(src Source) any { return j.stream(src.segment()) }

// Attachment is the value of a string with the base64 of an attachment.
func (j *JSON) Attachment(a *message.Attachment) any { return j.stream(contentOf(a)) }

// stream is the value of a string whose inside is s.
func (j *JSON) stream(s segment) any {
	j.streams = append(j.streams, s)
	return json.RawMessage(markBegin + strconv.Itoa(len(j.streams)-1) + "]")
}

// Encode returns v as a Body with the streams in the places of their marks: all of
// them, each once, in whatever order.
func (j *JSON) Encode(v any) (*Body, error) {
	var buf bytes.Buffer
	if err := newEncoder(&buf).Encode(v); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	rest := escapeNonXML(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
	b := &Body{contentType: "application/json"}
	placed := 0
	for {
		at, n, end := nextMark(rest)
		if at < 0 {
			break
		}
		if n >= len(j.streams) {
			return nil, errors.New("payload: a place without a stream")
		}
		// The mark's first and last octet become the quotes around the stream.
		rest[at], rest[end] = '"', '"'
		b.addBytes(rest[:at+1])
		b.addStream(j.streams[n])
		rest = rest[end:]
		placed++
	}
	if placed != len(j.streams) {
		return nil, errors.New("payload: a stream has no place")
	}
	b.addBytes(rest)
	return b, nil
}

// nextMark finds the first mark: where it begins, its number, and where its "]" is. at
// is -1 when there is none.
func nextMark(p []byte) (at, n, end int) {
	for from := 0; ; {
		i := bytes.Index(p[from:], []byte(markBegin))
		if i < 0 {
			return -1, 0, 0
		}
		at = from + i
		digits := at + len(markBegin)
		for end = digits; end < len(p) && '0' <= p[end] && p[end] <= '9'; end++ {
		}
		if end > digits && end < len(p) && p[end] == ']' {
			if n, err := strconv.Atoi(string(p[digits:end])); err == nil {
				return at, n, end
			}
		}
		from = at + len(markBegin)
	}
}

// Object is a JSON object whose members keep their order.
type Object []Member

// Member is one member of an Object.
type Member struct {
	Name  string
	Value any
}

// Set gives the first member of that name a value, or adds one.
func (o *Object) Set(name string, value any) {
	for i := range *o {
		if (*o)[i].Name == name {
			(*o)[i].Value = value
			return
		}
	}
	*o = append(*o, Member{name, value})
}

// Get returns the value of the first member of that name, nil without one.
func (o Object) Get(name string) any {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	e := newEncoder(&buf)
	buf.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := e.Encode(m.Name); err != nil {
			return nil, err
		}
		buf.Truncate(buf.Len() - 1) // the encoder's line end
		buf.WriteByte(':')
		if err := e.Encode(m.Value); err != nil {
			return nil, err
		}
		buf.Truncate(buf.Len() - 1)
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

// newEncoder returns an encoder that leaves < > & as they are: a payload is no
// HTML, and mail is full of them. It turns invalid UTF-8 into U+FFFD and always
// escapes U+2028 and U+2029, which end a line in JavaScript.
func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// escapeNonXML escapes U+FFFE and U+FFFF, which JSON may hold and XML may not: SQS
// refuses them.
func escapeNonXML(p []byte) []byte {
	if !bytes.Contains(p, []byte("\xef\xbf")) {
		return p
	}
	p = bytes.ReplaceAll(p, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(p, []byte("\uFFFF"), []byte(`\uffff`))
}
