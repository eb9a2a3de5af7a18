package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// The names of a message's attributes.
const (
	AttributeID     = "mxhook-id"     // the event id, by which a consumer deduplicates
	AttributeRoute  = "mxhook-route"  // the route's name
	AttributeFormat = "mxhook-format" // the name of the body's format
	AttributeEvent  = "mxhook-event"  // record.Marshal of the event
	AttributeRaw    = "mxhook-raw"    // where the message as received is, as a location
	// AttributeExtended is the number of octets of the payload that a pointer stands for.
	// The extended client libraries know a pointer by it.
	AttributeExtended = "ExtendedPayloadSize"
)

// The data types of attributes.
const (
	typeString = "String"
	typeNumber = "Number"
)

// attribute is a message attribute. None is of type Binary.
type attribute struct{ name, dataType, value string }

func (a attribute) size() int64 { return int64(len(a.name) + len(a.dataType) + len(a.value)) }

// sizeOf returns what a message counts: its body, and the names, types and values of its
// attributes (SQS Developer Guide, quotas of messages).
func sizeOf(body int64, attributes []attribute) int64 {
	for _, a := range attributes {
		body += a.size()
	}
	return body
}

// digestOf returns the MD5 of a body as SQS tells it.
func digestOf(body string) string {
	h := md5.New()
	io.WriteString(h, body)
	return hex.EncodeToString(h.Sum(nil))
}

// digestOfAttributes returns the MD5 of attributes as SQS tells it: in the order of their
// names, each name, type and value after its length, the value also after the octet 1,
// which stands for a string (SQS Developer Guide, "Calculating the MD5 message digest for
// message attributes").
func digestOfAttributes(attributes []attribute) string {
	sorted := slices.Clone(attributes)
	slices.SortFunc(sorted, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	h := md5.New()
	text := func(s string) {
		binary.Write(h, binary.BigEndian, uint32(len(s)))
		io.WriteString(h, s)
	}
	for _, a := range sorted {
		text(a.name)
		text(a.dataType)
		h.Write([]byte{1})
		text(a.value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// isText tells whether s holds nothing but the characters that SQS takes: those of XML
// 1.0 (its Char production).
func isText(s string) bool {
	for i, r := range s {
		switch {
		case r >= ' ' && r < 0xfffd, r > 0xffff, r == '\t', r == '\n', r == '\r':
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false // no UTF-8, a lone surrogate among it
			}
		default:
			return false
		}
	}
	return true
}
