package dkim_test

import (
	"io"
	"strings"
	"testing"

	"mxhook/verify/dkim"
)

func TestReadHeader(t *testing.T) {
	big := "A: " + strings.Repeat("x", dkim.MaxHeader)
	for _, c := range []struct {
		rule, content string
		names         string
		body          string
		fails         bool
	}{
		{"CRLF", "A: 1\r\nB : 2\r\n\r\nbody", "A,B", "body", false},
		{"LF", "A: 1\nB: 2\n x\n\nbody", "A,B", "body", false},
		{"an mbox line", "From a@b now\nA: 1\n\nbody", "A", "body", false},
		{"a byte order mark", "\xef\xbb\xbfA: 1\r\n\r\nbody", "A", "body", false},
		{"no body", "A: 1\r\n", "A", "", false},
		{"no line end", "A: 1", "A", "", false},
		{"nothing", "", "", "", false},
		{"no header", "\r\nbody", "", "body", false},
		{"a line that is no field", "A: 1\r\nwhat?\r\nB: 2\r\n\r\nbody", "A,,B", "body", false},
		{"a blank in the name", "A B: 1\r\n\r\n", "", "", false},
		{"a fold first", " x\r\nA: 1\r\n\r\n", ",A", "", false},
		{"a large body", "A: 1\r\n\r\n" + strings.Repeat("y", 2*dkim.MaxHeader), "A", strings.Repeat("y", 2*dkim.MaxHeader), false},
		{"a header of several reads", "A: " + strings.Repeat("x\r\n ", 50_000) + "\r\nB: 1\r\n\r\nbody", "A,B", "body", false},
		{"a header without end", big, "", "", true},
	} {
		r := strings.NewReader(c.content)
		fields, body, err := dkim.ReadHeader(r, r.Size())
		if (err != nil) != c.fails {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if c.fails {
			continue
		}
		var names []string
		for _, f := range fields {
			names = append(names, f.Name)
		}
		rest, _ := io.ReadAll(io.NewSectionReader(r, body, r.Size()-body))
		if got := strings.Join(names, ","); got != c.names || string(rest) != c.body {
			t.Errorf("%s: fields %q, body of %d bytes", c.rule, got, len(rest))
		}
	}
}
