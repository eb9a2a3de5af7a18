package dkim

import (
	"context"
	"crypto/sha256"
	"hash"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"mxhook/verify/dns"
)

// sink keeps what is hashed.
type sink struct {
	hash.Hash
	strings.Builder
}

func (s *sink) Write(p []byte) (int, error) { return s.Builder.Write(p) }
func (s *sink) Reset()                      {}

var (
	bareLF = regexp.MustCompile(`(^|[^\r])\n`)
	blanks = regexp.MustCompile(`[ \t]+`)
)

// slow says what RFC 6376 3.4.3 and 3.4.4 say, in the simplest way.
func slow(body string, relaxed bool) string {
	for bareLF.MatchString(body) {
		body = bareLF.ReplaceAllString(body, "$1\r\n")
	}
	lines := strings.Split(body, "\r\n")
	if relaxed {
		for i, l := range lines {
			lines[i] = strings.TrimRight(blanks.ReplaceAllString(l, " "), " ")
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 {
		if relaxed {
			return ""
		}
		return "\r\n"
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

func FuzzCanonicalBody(f *testing.F) {
	f.Add("a  b\t\r\n\r\n c \r\nd", true, 3)
	f.Add("\r\r\n\n \r", true, 1)
	f.Add(strings.Repeat("word ", 300)+" \t"+strings.Repeat("x", 600)+"\r\n", false, 100)
	f.Add("\r\n\r\n", false, 5)
	f.Fuzz(func(t *testing.T, body string, relaxed bool, cut int) {
		if cut <= 0 {
			cut = 7
		}
		s := &sink{Hash: sha256.New()}
		h := &bodyHash{hash: s, limit: -1}
		c := &canonicalBody{relaxed: relaxed, hashes: []*bodyHash{h}}
		for rest := []byte(body); len(rest) > 0; {
			n := min(cut, len(rest))
			c.Write(rest[:n])
			rest = rest[n:]
		}
		c.Close()
		want := slow(body, relaxed)
		if got := s.String(); got != want || h.size != int64(len(want)) {
			t.Fatalf("%q relaxed=%v cut=%d:\n%q (size %d)\nwant\n%q", body, relaxed, cut, got, h.size, want)
		}
	})
}

func TestRelaxedHeader(t *testing.T) {
	for raw, want := range map[string]string{
		"SUBJect : A  b\t c \r\n": "subject:A b c\r\n",
		"A:X\r\n\t Y\r\n":         "a:X Y\r\n",
		"A:\r\n":                  "a:\r\n",
		"A: \r\n \r\n":            "a:\r\n",
	} {
		if got := relaxedHeader(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestWithoutSignature(t *testing.T) {
	for raw, want := range map[string]string{
		"D: v=1; b=abc; bh=x\r\n":             "D: v=1; b=; bh=x\r\n",
		"D: bh=b=; s=ab=c; b=abc\r\n def\r\n": "D: bh=b=; s=ab=c; b=\r\n",
		"D: v=1;\r\n b = abc ;\r\n x=1\r\n":   "D: v=1;\r\n b =;\r\n x=1\r\n",
		"D: v=1\r\n":                          "D: v=1\r\n",
	} {
		if got := withoutSignature(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("DKIM-Signature: v=1; a=ed25519-sha256; d=a.example; s=s; h=from; bh=AAAA; b=AAAA; l=1; i=@x.a.example; x=1; t=0; q=dns/txt; c=relaxed\r\nFrom: a@a.example\r\n\r\nbody", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Add("From x\nDKIM-Signature:\n\n", "k=rsa; t=s:y; h=sha256; s=*; p=MII=")
	f.Fuzz(func(t *testing.T, message, key string) {
		r := strings.NewReader(message)
		header, body, err := ReadHeader(r, r.Size())
		if err != nil {
			return
		}
		if body > r.Size() {
			t.Fatalf("the body begins at %d of %d", body, r.Size())
		}
		ctx := context.Background()
		m := Message{Header: header, Content: r, Body: body, Size: r.Size()}
		for _, s := range Verify(ctx, ctx, oneText(key), m, time.Unix(0, 0)) {
			if s.Result == "" || s.Result != "pass" && s.Reason == "" {
				t.Fatalf("%+v", s)
			}
			for _, name := range []string{s.Domain, s.Selector} {
				if canonical, ok := dns.Domain(name); name != "" && (!ok || canonical != name) {
					t.Fatalf("%q is no name", name)
				}
			}
		}
	})
}

// oneText answers every question with one text.
type oneText string

func (o oneText) LookupTXT(context.Context, string) ([]string, error) {
	return []string{string(o)}, nil
}

func (o oneText) LookupMX(context.Context, string) ([]*net.MX, error)        { return nil, nil }
func (o oneText) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) { return nil, nil }
func (o oneText) LookupAddr(context.Context, string) ([]string, error)       { return nil, nil }
