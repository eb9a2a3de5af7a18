package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// streamMark stands in the JSON for a string that is streamed. It can't be met
// anywhere else: a quote inside a string is always escaped, so these bytes are an
// array whose first element is "" and whose second is a number, and the payload
// has no such array.
const streamMark = `["",0]`

// document collects the streams of a JSON text while its values are built.
type document struct {
	streams []segment // in the order of their marks
}

// inlineText is the length up to which a text is encoded with the small parts. A
// longer one is encoded when it is read, so that a body of megabytes isn't held
// a second time.
const inlineText = 64 * 1024

// text is the value of a string that may be long.
func (d *document) text(s string) any {
	if len(s) <= inlineText {
		return s
	}
	return d.stream(textOf(s))
}

// stream is the value of a string whose inside is s.
func (d *document) stream(s segment) any {
	d.streams = append(d.streams, s)
	return json.RawMessage(streamMark)
}

// encode returns v as a Body with the streams in the places of their marks.
func (d *document) encode(v any) (*Body, error) {
	var buf bytes.Buffer
	if err := newEncoder(&buf).Encode(v); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	rest := escapeNonXML(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
	b := &Body{contentType: "application/json"}
	for _, s := range d.streams {
		at := bytes.Index(rest, []byte(streamMark))
		if at < 0 {
			return nil, errors.New("payload: a stream has no place")
		}
		// The mark's first and last octet become the quotes around the stream.
		end := at + len(streamMark) - 1
		rest[at], rest[end] = '"', '"'
		b.addBytes(rest[:at+1])
		b.addStream(s)
		rest = rest[end:]
	}
	b.addBytes(rest)
	return b, nil
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
