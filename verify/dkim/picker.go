package dkim

import (
	"bytes"
	"crypto/sha256"
	"strings"
)

// Picker finds the fields that a signature names, from the bottom of the header up
// (RFC 6376 5.4.2), without searching the header for each name, and makes each field
// canonical once for all signatures. It is not safe for concurrent use.
type Picker struct {
	fields map[string][]pick // by lower-case name
	raw    []byte            // for fields that are hashed as they are
}

// pick is a field, and its relaxed form once that was wanted.
type pick struct {
	raw     string
	relaxed []byte
}

// NewPicker makes one for the header section of a message.
func NewPicker(header []Field) *Picker {
	p := &Picker{fields: make(map[string][]pick, len(header))}
	for _, f := range header {
		name := strings.ToLower(f.Name)
		p.fields[name] = append(p.fields[name], pick{raw: f.Raw})
	}
	return p
}

// digest hashes the signed fields and then the signature's own without its b= value
// (RFC 6376 3.7). A name that has no field left adds nothing.
func (p *Picker) digest(s *signature) []byte {
	hash := sha256.New()
	used := make(map[string]int, len(s.headers))
	itself := strings.ToLower(s.field.Name)
	for _, name := range s.headers {
		fields := p.fields[name]
		n := used[name]
		if name == itself && n < len(fields) && fields[len(fields)-1-n].raw == s.field.Raw {
			// h= may name others of its kind, but never means itself (RFC 6376 3.5).
			n, itself = n+1, ""
			used[name] = n
		}
		if name == "" || n >= len(fields) {
			continue
		}
		used[name]++
		field := &fields[len(fields)-1-n]
		if !s.relaxedHead {
			p.raw = append(p.raw[:0], field.raw...)
			hash.Write(p.raw)
			continue
		}
		if field.relaxed == nil {
			field.relaxed = relaxedHeader(field.raw)
		}
		hash.Write(field.relaxed)
	}
	raw := withoutSignature(s.field.Raw)
	own := []byte(raw)
	if s.relaxedHead {
		own = relaxedHeader(raw)
	}
	hash.Write(bytes.TrimSuffix(own, lineEnds[:2]))
	return hash.Sum(nil)
}

// withoutSignature empties the value of b= and leaves every other byte.
func withoutSignature(raw string) string {
	at := strings.IndexByte(raw, ':') + 1
	for at < len(raw) {
		end := len(raw)
		if n := strings.IndexByte(raw[at:], ';'); n >= 0 {
			end = at + n
		}
		name, value, ok := strings.Cut(raw[at:end], "=")
		if ok && strings.Trim(name, fws) == "b" {
			from := end - len(value)
			kept := raw[:from]
			if end == len(raw) {
				// The last tag: the line end is the field's, not the value's.
				return kept + "\r\n"
			}
			return kept + raw[end:]
		}
		at = end + 1
	}
	return raw
}
