package dkim_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	msgdkim "github.com/emersion/go-msgauth/dkim"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
)

// keyZone makes a zone of "name record" lines.
func keyZone(t *testing.T, lines string) *dns.Zone {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(lines) {
		name, record, ok := strings.Cut(strings.TrimSpace(line), " ")
		record = strings.TrimSpace(record)
		if !ok || strings.HasPrefix(name, "#") || !strings.Contains(name, "_domainkey") || strings.Contains(record, "NXDOMAIN") || strings.HasPrefix(record, "~~") {
			continue
		}
		text.WriteString(strings.ReplaceAll(txt(strings.TrimSuffix(name, ":"), strings.ReplaceAll(record, `"`, `\"`)), "\t", " "))
	}
	z, err := dns.ParseZone(text.String())
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func crlf(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}

// fastmail are the messages of that set whose result is not what their name says, and
// why. The test fails when one of them agrees.
var fastmail = map[string]string{
	"good_1878523":   "rsa-sha1, which RFC 8301 forbids",
	"good_83176":     "rsa-sha1, which RFC 8301 forbids",
	"good_qp_2":      "rsa-sha1, which RFC 8301 forbids",
	"good_rfc4871_3": "rsa-sha1, which RFC 8301 forbids",
	"good_ietf00_2":  "no v=: a draft before RFC 4871",
	"good_ietf00_4":  "no v=: a draft before RFC 4871",
	"good_ietf01_1":  "no v=: a draft before RFC 4871",
}

func TestRealMessages(t *testing.T) {
	base := "../../../shared/corpora/dkim-fastmail"
	lines, err := os.ReadFile(base + "/common/FAKE_DNS.dat")
	if err != nil {
		t.Skip("../shared/corpora/dkim-fastmail is not here: ", err)
	}
	z := keyZone(t, string(lines))
	files, err := filepath.Glob(base + "/corpus/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	agreed := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		message := string(crlf(content))
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		results := verify(t, z, message, time.Unix(1e9, 0))
		passed := false
		for _, r := range results {
			passed = passed || r.Result == authres.Pass
		}
		want := strings.HasPrefix(name, "good") && !strings.Contains(name, "_dk_")
		_, known := fastmail[name]
		switch {
		case passed == want && known:
			t.Errorf("%s agrees now: take it out of the table", name)
		case passed != want && !known:
			t.Errorf("%s: %+v", name, results)
		case passed == want:
			agreed++
		}
		oracle(t, z, name, message, results)
	}
	t.Logf("%d of %d messages agree", agreed, len(files))
}

// oracle compares with another implementation: what it lets pass, we let pass.
func oracle(t *testing.T, z *dns.Zone, name, message string, ours []dkim.Signature) {
	t.Helper()
	theirs, err := msgdkim.VerifyWithOptions(strings.NewReader(message), &msgdkim.VerifyOptions{
		LookupTXT: func(domain string) ([]string, error) { return z.LookupTXT(context.Background(), domain) },
	})
	if err != nil || len(theirs) != len(ours) {
		return
	}
	for i, v := range theirs {
		if v.Err == nil && ours[i].Result != authres.Pass {
			t.Errorf("%s: signature %d passes elsewhere, here it is %+v", name, i, ours[i])
		}
	}
}

func TestMessagesThatMustVerifyAndMustNotWhenChanged(t *testing.T) {
	files, err := filepath.Glob("../../../shared/corpora/dkim-mail-auth/0*.txt")
	if err != nil || len(files) == 0 {
		t.Skip("../shared/corpora/dkim-mail-auth is not here")
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		keys, message, _ := strings.Cut(string(crlf(content)), "\r\n\r\n")
		z := keyZone(t, keys)
		pass := func(message string) int {
			n := 0
			for _, r := range verify(t, z, message, time.Unix(1.6679e9, 0)) {
				if r.Result == authres.Pass {
					n++
				}
			}
			return n
		}
		if pass(message) == 0 {
			t.Errorf("%s: %+v", filepath.Base(file), verify(t, z, message, time.Unix(1.6679e9, 0)))
		}
		if n := pass(message + "More.\r\n"); n > 0 {
			t.Errorf("%s: %d signatures pass with a longer body", filepath.Base(file), n)
		}
	}
}
