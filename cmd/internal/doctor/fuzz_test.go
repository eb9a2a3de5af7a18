package doctor

import (
	"bufio"
	"strings"
	"testing"
)

// FuzzStrangersTexts wants what is read of strangers to be either good or told in words
// that are short and printable.
func FuzzStrangersTexts(f *testing.F) {
	for _, s := range []string{
		"version: STSv1\r\nmode: enforce\r\nmx: *.example.com\r\nmax_age: 604800\r\n", "v=STSv1; id=1", "v=TLSRPTv1; rua=mailto:a@b.example",
		"250-mx.example\r\n250 STARTTLS\r\n", "220 mx.example ESMTP mxhook\r\n", "\x1b[2J", "mx: \u202e\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePolicy(s)
		if err == nil && (p.mode == "" || p.mode != "none" && len(p.mx) == 0 || p.maxAge < 0 || p.maxAge > maxPolicyAge) {
			t.Errorf("taken: %+v", p)
		}
		p.takes(s)
		found := &findings{}
		if err != nil {
			found.add(Error, "mta_sts", err.Error(), "", s)
		}
		if id, why := stsRecord(s); (id == "") != (why != "") {
			t.Errorf("id %q, why %q", id, why)
		}
		if rua, why := reportAddresses(s); (len(rua) == 0) != (why != "") {
			t.Errorf("rua %q, why %q", rua, why)
		}
		c := &dialogue{in: bufio.NewReaderSize(strings.NewReader(s), maxLine)}
		if r, err := c.reply(); err == nil {
			found.add(Error, "listener", quoted(r.String()), r.text, "")
			r.offers("STARTTLS")
		}
		for _, c := range found.checks {
			for _, text := range []string{c.Found, c.Why, c.Fix} {
				if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e }) || len(text) > 5*maxText {
					t.Errorf("shown: %q", text)
				}
			}
		}
	})
}
