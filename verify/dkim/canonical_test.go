package dkim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mxhook/verify/dns"
	"mxhook/verify/why"
)

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

// same compares with what the simplest way gives, for pieces of a size and limits around
// every place where something ends.
func same(t *testing.T, body, want string, relaxed bool, piece int) {
	t.Helper()
	c := &canonicalBody{relaxed: relaxed, hash: sha256.New()}
	limits := []int64{-1, 0, 1, int64(piece), int64(len(want)) / 2, int64(len(want)) - 1, int64(len(want)), int64(len(want)) + 1}
	var got []*bodyHash
	for _, l := range limits {
		got = append(got, c.want(max(l, -1)))
	}
	for rest := []byte(body); len(rest) > 0; {
		n := min(piece, len(rest))
		c.Write(rest[:n])
		rest = rest[n:]
	}
	c.Close()
	for i, l := range limits {
		covered := want
		if l = max(l, -1); l >= 0 {
			covered = want[:min(l, int64(len(want)))]
		}
		if sum := sha256.Sum256([]byte(covered)); got[i] != c.want(l) || !bytes.Equal(got[i].sum, sum[:]) || got[i].size != int64(len(want)) {
			t.Fatalf("%q relaxed=%v in pieces of %d, l=%d: the hash of %d bytes is another than that of %q", body, relaxed, piece, l, got[i].size, want)
		}
	}
}

func FuzzCanonicalBody(f *testing.F) {
	f.Add("a  b\t\r\n\r\n c \r\nd", true, 3)
	f.Add("\r\r\n\n \r", true, 1)
	f.Add(strings.Repeat("word ", 300)+" \t"+strings.Repeat("x", 600)+"\r\n", false, 100)
	f.Add("\r\n\r\n", false, 5)
	f.Fuzz(func(t *testing.T, body string, relaxed bool, piece int) {
		if piece <= 0 {
			piece = 7
		}
		same(t, body, slow(body, relaxed), relaxed, piece)
	})
}

// TestTheFastWayIsTheSlowWay tries every piece size for bodies made of what matters,
// with such places at every position of a word of eight bytes.
func TestTheFastWayIsTheSlowWay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabets := []string{"a \t\r\n", "abcdefgh \r\n", "\r\n", "a\x0b\x0c\x0e\x08!\x1f \t\r\n", "\x00\x80\x8a\x8d\xa0\xff \r\n"}
	for range 1000 {
		letters := alphabets[r.IntN(len(alphabets))]
		var b strings.Builder
		b.WriteString(strings.Repeat("x", r.IntN(9)))
		for range r.IntN(25) {
			if r.IntN(4) == 0 {
				b.WriteString("\r\n")
			} else {
				b.WriteByte(letters[r.IntN(len(letters))])
			}
		}
		b.WriteString(strings.Repeat("y", r.IntN(9)))
		for _, relaxed := range []bool{false, true} {
			want := slow(b.String(), relaxed)
			for piece := range b.Len() + 1 {
				same(t, b.String(), want, relaxed, piece+1)
			}
		}
	}
}

func TestLargeBodiesAreCanonicalized(t *testing.T) {
	for _, body := range bodies() {
		body = body[:largeBody]
		for _, relaxed := range []bool{false, true} {
			want := slow(body, relaxed)
			for _, piece := range []int{1000, 64 << 10, 100_003} {
				same(t, body, want, relaxed, piece)
			}
		}
	}
}

func TestRelaxedHeader(t *testing.T) {
	for raw, want := range map[string]string{
		"SUBJect : A  b\t c \r\n": "subject:A b c\r\n",
		"A:X\r\n\t Y\r\n":         "a:X Y\r\n",
		"A:\r\n":                  "a:\r\n",
		"A: \r\n \r\n":            "a:\r\n",
	} {
		if got := string(relaxedHeader(raw)); got != want {
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
		results := Verify(ctx, ctx, oneText(key), m, time.Unix(0, 0))
		told := why.Section(why.With(ctx, why.New()), "DKIM")
		if again := Verify(told, told, oneText(key), m, time.Unix(0, 0)); !reflect.DeepEqual(results, again) {
			t.Fatalf("notes change results: %+v and %+v", results, again)
		}
		for _, s := range results {
			if s.Result == "" || s.Result != "pass" && s.Reason == "" {
				t.Fatalf("%+v", s)
			}
			if local, domain, ok := strings.Cut(s.Identity, "@"); s.Identity != "" && (!ok || strings.ContainsFunc(local, invisible) || !strings.HasSuffix(domain, s.Domain)) {
				t.Fatalf("identity %q of %q", s.Identity, s.Domain)
			}
			if s.Unsigned < 0 || s.KeyBits < 0 || len(s.Oversigned) > maxOversigned || !slices.IsSorted(s.Oversigned) {
				t.Fatalf("%+v", s)
			}
			if _, err := json.Marshal(s); err != nil {
				t.Fatal(err)
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
