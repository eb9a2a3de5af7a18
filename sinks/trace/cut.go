package trace

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
)

// maxResults is the length of an Authentication-Results body beyond which it counts
// as forged: no verifier writes one, and it only hides the authserv-id behind
// comments.
const maxResults = 64 * 1024

// Cut decides which of the sender's header fields leave raw copies, and returns
// their ranges in data, for Event.Cut: Return-Path, X-Original-To and Delivered-To,
// which msg keeps in its Header, and each Authentication-Results for whose body
// claims returns true. The latter leave msg.Header too, and a defect
// message.DefectForgedResults in msg.Defects says so. claims is given the field's
// body as it was written, folds included, and tells whether its authserv-id is
// ours: authres.Claims with our name.
//
// The ranges are found by reading data's own header section, however long it is, so
// that a field hidden from the parser (beyond its limits, after a bare CR) is not
// left in a raw copy. Where it begins is as message.Parse has it: after an empty line
// that Parse passed over, and with a damaged first line if a field comes next. Only
// from a message without a header section nothing is cut. Cut is called once for a
// message, before others use msg. The error is one of reading data; msg has been
// cleaned then, too.
func Cut(data *inbound.MailData, msg *message.Message, claims func(fieldBody string) bool) ([]sinks.Range, error) {
	s := scanner{claims: claims}
	err := s.scanHeader(data, msg)

	forged := len(msg.Header)
	msg.Header = slices.DeleteFunc(msg.Header, func(f message.Field) bool {
		return kindOf(f.Name) == kindResults && (len(f.Raw) > maxResults || claims(f.Raw))
	})
	forged -= len(msg.Header)

	if n := max(forged, s.forged); n > 0 {
		msg.Defects = append(msg.Defects, message.Defect{
			Code: message.DefectForgedResults,
			Text: fmt.Sprintf("%d Authentication-Results fields with our name were removed", n),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("trace: read the header section: %w", err)
	}
	return s.cut, nil
}

// scanHeader scans the header section of data, if it has one.
func (s *scanner) scanHeader(data *inbound.MailData, msg *message.Message) error {
	if headerFollows(data, msg) {
		s.at = msg.Header[0].Start
		return s.scan(io.NewSectionReader(data, s.at, data.Size()-s.at))
	}
	if o, err := openingAt(data, msg, 0); err != nil || o == openBody {
		return err
	}
	return s.scan(io.NewSectionReader(data, 0, data.BodyOffset()))
}

type kind int

const (
	kindOther kind = iota
	kindReplaced
	kindResults
)

// kindOf knows a field by its name. Blanks before the colon are the obsolete syntax
// (RFC 5322 4.5), which parsers take.
func kindOf(name string) kind {
	name = strings.TrimRight(name, " \t")
	switch {
	case strings.EqualFold(name, "Return-Path"), strings.EqualFold(name, "X-Original-To"), strings.EqualFold(name, "Delivered-To"):
		return kindReplaced
	case strings.EqualFold(name, "Authentication-Results"):
		return kindResults
	}
	return kindOther
}
