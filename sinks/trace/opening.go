package trace

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"mxhook/inbound"
	"mxhook/inbound/message"
)

// opening is how a message begins, or what of it is kept.
type opening int

const (
	// openBody is text that belongs to no header section.
	openBody opening = iota
	// openField is a field, or the empty line that ends a header section.
	openField
	// openMailbox is an mbox "From " line.
	openMailbox
	// openDamaged is a line that is no field, or that no reader takes for one, before
	// the fields of a header section.
	openDamaged
)

// joint returns what must stand between a field of ours and what begins so.
func (o opening) joint() string {
	switch o {
	case openField:
		return ""
	case openMailbox:
		return "X-Mailbox-Line: "
	case openDamaged:
		return "X-Damaged-Line: "
	}
	return "\r\n"
}

// maxName is the length within which openingAt looks for the colon of a field.
const maxName = 1024

// mark is a byte order mark. The parser passes over one at the beginning.
const mark = "\xef\xbb\xbf"

// openingAt reads how data begins at the line at. It sees a header section where
// message.Parse does: one line that is no field is damage if a field comes next, and
// the body's first otherwise.
func openingAt(data *inbound.MailData, msg *message.Message, at int64) (opening, error) {
	r := bufio.NewReader(io.NewSectionReader(data, at, data.Size()-at))
	line, err := peek(r)
	unmarked, empty := bytes.TrimPrefix(line, []byte(mark)), isEmptyLine(line)
	switch {
	case err != nil:
		return openBody, err
	case len(line) == 0:
		return openField, nil
	case empty:
		if at > 0 || !headerFollows(data, msg) {
			return openField, nil
		}
	case isField(unmarked) || isMailboxLine(unmarked):
		switch {
		case len(unmarked) < len(line):
			return openDamaged, nil
		case isMailboxLine(line):
			return openMailbox, nil
		}
		return openField, nil
	case bytes.HasPrefix(unmarked, []byte("--")):
		return openBody, nil // a boundary: the parser never takes it for damage
	}
	if err := skipLine(r); err != nil {
		return openBody, err
	}
	next, err := peek(r)
	switch {
	case err != nil:
		return openBody, err
	case isField(next):
		return openDamaged, nil
	case empty:
		return openField, nil
	}
	return openBody, nil
}

// headerFollows tells whether the parser passed over an empty line at the beginning
// and found fields behind it.
func headerFollows(data *inbound.MailData, msg *message.Message) bool {
	return msg != nil && len(msg.Header) > 0 && msg.Header[0].Start >= data.BodyOffset()
}

// peek returns the beginning of what comes next, nothing at the end.
func peek(r *bufio.Reader) ([]byte, error) {
	p, err := r.Peek(maxName)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("trace: read the message: %w", err)
	}
	return p, nil
}

// skipLine reads to the LF, the one line end that the parser knows, or to the end.
func skipLine(r *bufio.Reader) error {
	for {
		_, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil, errors.Is(err, io.EOF):
			return nil
		default:
			return fmt.Errorf("trace: read the message: %w", err)
		}
	}
}

// isEmptyLine tells whether p begins with an empty line. CRs before the LF don't
// count (MailData.BodyOffset).
func isEmptyLine(p []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(p, "\r"), []byte("\n"))
}

func isMailboxLine(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From "))
}

// isField tells whether line begins with a field name and a colon (RFC 5322 2.2).
func isField(line []byte) bool { return len(fieldName(line)) > 0 }

// fieldName returns the name of the field that begins with line, nothing if none does.
// Blanks before the colon are the obsolete syntax (RFC 5322 4.5), which parsers take.
func fieldName(line []byte) []byte {
	n := 0
	for n < len(line) && line[n] > ' ' && line[n] < 0x7f && line[n] != ':' {
		n++
	}
	if !bytes.HasPrefix(bytes.TrimLeft(line[n:], " \t"), []byte(":")) {
		return nil
	}
	return line[:n]
}
