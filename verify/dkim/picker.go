package dkim

import (
	"crypto/sha256"
	"io"
	"strings"
)

// picker finds the fields that a signature names, from the bottom of the header up
// (RFC 6376 5.4.2), without searching the header for each name.
type picker struct {
	fields map[string][]Field // by lower-case name
}

func newPicker(header []Field) *picker {
	p := &picker{fields: make(map[string][]Field, len(header))}
	for _, f := range header {
		name := strings.ToLower(f.Name)
		p.fields[name] = append(p.fields[name], f)
	}
	return p
}

// digest hashes the signed fields and then the signature's own without its b= value
// (RFC 6376 3.7). A name that has no field left adds nothing.
func (p *picker) digest(s *signature) []byte {
	hash := sha256.New()
	used := map[string]int{}
	for _, name := range s.headers {
		name = strings.ToLower(name)
		fields := p.fields[name]
		n := used[name]
		if name == "" || n >= len(fields) {
			continue
		}
		used[name]++
		io.WriteString(hash, s.canonical(fields[len(fields)-1-n].Raw))
	}
	own := s.canonical(withoutSignature(s.field.Raw))
	io.WriteString(hash, strings.TrimSuffix(own, "\r\n"))
	return hash.Sum(nil)
}

func (s *signature) canonical(raw string) string {
	if s.header {
		return relaxedHeader(raw)
	}
	return raw
}

// withoutSignature empties the value of b= and leaves every other byte.
func withoutSignature(raw string) string {
	at := strings.IndexByte(raw, ':') + 1
	for at < len(raw) {
		end := at + strings.IndexByte(raw[at:]+";", ';')
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
