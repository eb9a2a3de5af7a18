package spf_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mxhook/verify/dns"
)

// source is what a zone is made of: the records of each name by type, and the names that
// are not answered. Other evaluators take it as JSON. A TXT record is a list of its
// strings, whose code points below 256 stand for bytes; an MX record is a preference and
// a host.
type source struct {
	Names   map[string]map[string][]any `json:"names"`
	Trouble []string                    `json:"trouble"`
}

func (s *source) add(name, kind string, value any) {
	name = strings.ToLower(name)
	if s.Names == nil {
		s.Names = map[string]map[string][]any{}
	}
	if s.Names[name] == nil {
		s.Names[name] = map[string][]any{}
	}
	s.Names[name][kind] = append(s.Names[name][kind], value)
}

// openspf reads zonedata as the openspf suites have it. Records of type SPF stand for
// TXT where a name has no TXT of its own.
func openspf(data map[string][]any) source {
	var s source
	for name, records := range data {
		own, harmed := map[string]bool{}, false
		var spfs []any
		for _, record := range records {
			fields, ok := record.(map[string]any)
			if !ok {
				harmed = true
				continue
			}
			for kind, value := range fields {
				own[kind] = true
				switch kind {
				case "SPF":
					spfs = append(spfs, list(value))
				case "TXT":
					if value != "NONE" {
						s.add(name, "TXT", list(value))
					}
				case "MX":
					s.add(name, "MX", value)
				case "PTR", "CNAME":
					s.add(name, kind, fmt.Sprint(value))
				case "A", "AAAA":
					for _, v := range list(value) {
						s.add(name, kind, v)
					}
				default: // TIMEOUT, SERVFAIL, CNAMELOOP
					harmed = true
				}
			}
		}
		if !own["TXT"] {
			for _, v := range spfs {
				s.add(name, "TXT", v)
			}
		}
		if harmed && len(s.Names[strings.ToLower(name)]["TXT"]) == 0 {
			s.Trouble = append(s.Trouble, strings.ToLower(name))
		}
	}
	return s
}

func list(value any) []any {
	if values, ok := value.([]any); ok {
		return values
	}
	return []any{fmt.Sprint(value)}
}

// zone builds a zone of ours from it. What can't be a name has no records.
func (s source) zone(t testing.TB) *dns.Zone {
	t.Helper()
	var b strings.Builder
	for name, kinds := range s.Names {
		if len(name) > 253 || strings.Contains("."+name+".", "..") || longLabel(name) {
			continue
		}
		for kind, values := range kinds {
			for _, v := range values {
				switch kind {
				case "TXT":
					v = quoteTXT(v)
				case "MX":
					v = fmt.Sprintf("%v %s", v.([]any)[0], fqdn(v.([]any)[1]))
				case "PTR", "CNAME":
					v = fqdn(v)
				}
				fmt.Fprintf(&b, "%s. IN %s %s\n", escapeName(name), kind, v)
			}
		}
	}
	z := zone(t, b.String())
	for _, name := range s.Trouble {
		z.Timeout(name)
	}
	return z
}

func longLabel(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "."), func(l string) bool { return len(l) > 63 })
}

func fqdn(value any) string {
	s := strings.TrimSuffix(fmt.Sprint(value), ".")
	return escapeName(s) + "."
}

func escapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c == '.' || c == '-' || c == '_' || c == ':' || c == '/' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03d`, c)
		}
	}
	return b.String()
}

// quoteTXT writes TXT strings with every odd byte escaped, in pieces that fit.
func quoteTXT(value any) string {
	var out []string
	for _, s := range list(value) {
		var b strings.Builder
		n := 0
		b.WriteByte('"')
		for _, r := range fmt.Sprint(s) {
			if n++; n%250 == 0 {
				b.WriteString(`" "`)
			}
			if r < ' ' || r > '~' || r == '"' || r == '\\' {
				fmt.Fprintf(&b, `\%03d`, byte(r))
			} else {
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
		out = append(out, b.String())
	}
	return strings.Join(out, " ")
}
