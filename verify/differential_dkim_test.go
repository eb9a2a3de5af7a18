package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/verify/dkim"
)

// known are the differences in DKIM and ARC.
var known = []difference{
	{"dkimpy", "chain", "pass", "ed25519-sha256", "ARC has the algorithms of DKIM (RFC 8617 4.1.2, RFC 8463 3); dkimpy seals and reads rsa-sha256 alone"},
	{"dkimpy", "", "rsa-sha1 is too weak", "pass", "RFC 8301 3.1: verifiers must not take rsa-sha1 for valid"},
	{"dkimpy", "name in capitals", "pass", "left out|Unexpected characters", "a blank before the colon is obsolete and still a field (RFC 5322 4.5); dkimpy can't read the message"},
	{"dkimpy", "From above", "pass", "fail", "h= takes fields from the bottom (RFC 6376 5.4.2), and the field on top is not signed; dkimpy adds From to h=. Here DMARC refuses two From fields"},
	{"dkimpy", "letter 5.*last line end gone", "pass", "body hash mismatch", "blanks at the end of the last line are dropped with or without a line end (RFC 6376 3.4.4)"},
	{"dkimpy", "tags h=To:Subject;", "From field is not signed", "pass", "h= must name From (RFC 6376 5.4, 6.1.1)"},
	{"dkimpy", "tags q=dns/txt:http;", "pass", "q= value", "q= is a list, of which unknown methods are passed over (RFC 6376 3.5)"},
	{"dkimpy", "tags (a=RSA|c=Relaxed)", "pass", "unknown signature algorithm|invalid c= value", "words of the grammar have no case (RFC 5234 2.3)"},
	{"", "", "l= leaves", "pass", "anybody can add to such a body: policy, with the number of bytes; mailauth tells it beside the pass"},
	{"", "", "l= is more than the body has", "pass", "l= must not be more than the body has (RFC 6376 3.5)"},
	{"mailauth|Mail::DKIM", "", "from the future", "pass", "no clock is a day ahead: the date is made up"},
	{"mailauth|Mail::DKIM", "", "malformed|broken before", "(?i)no key|not available", "what fails by its form is not asked for; both fail"},
	{"Mail::DKIM", "", "pass", "unsupported algorithm ed25519-sha256|missing ARC-Seal", "Debian's Mail::DKIM does not know ed25519 (RFC 8463)"},
	{"Mail::DKIM", "mine_ietf01", "the signature lacks v=", "pass", "v= is required (RFC 6376 3.5)"},
	{"Mail::DKIM", "dkim-mail-auth/002", "pass", "wrong tag", "a key may be an RSAPublicKey, as RFC 6376 3.6.1 has it (erratum 3017)"},
	{"Mail::DKIM", "simple rsa, last line end gone|letter 4 simple/simple rsa", "pass", "body has been altered", "a body without a line end at its end gets one (RFC 6376 3.4.3)"},
	{"Mail::DKIM", "tags h=To:Subject;", "From field is not signed", "pass", "h= must name From (RFC 6376 5.4, 6.1.1)"},
}

func TestAgreementWithOtherImplementations(t *testing.T) {
	samples := append(fromCorpora(t), damaged(t)...)
	corpora := strings.HasPrefix(samples[0].name, "corpora/")
	var questions []any
	for i, s := range samples {
		if i == 0 || fmt.Sprintf("%p", samples[i-1].records) != fmt.Sprintf("%p", s.records) {
			questions = append(questions, map[string]any{"records": s.records})
		}
		questions = append(questions, map[string]string{"message": base64.StdEncoding.EncodeToString([]byte(s.message))})
	}
	mine := make([]said, len(samples))
	passed, chains := 0, 0
	for i, s := range samples {
		mine[i] = ours(s)
		for _, d := range mine[i].DKIM {
			if d.Result == "pass" {
				passed++
			}
		}
		if mine[i].ARC.Result == "pass" {
			chains++
		}
	}
	t.Logf("%d messages; here %d signatures and %d chains pass", len(samples), passed, chains)
	c := compare(t, known)
	heard := map[string]bool{}
	everybody(t, questions, len(samples), func(who string, answers []said) {
		for i, theirs := range answers {
			if theirs.Fault != "" && len(theirs.DKIM) == 0 && len(mine[i].DKIM) > 0 {
				t.Errorf("%s: %s fails: %s", samples[i].name, who, theirs.Fault)
				continue
			}
			c.signatures(who, samples[i].name, mine[i], theirs)
			c.verdict(who, samples[i].name+", chain", mine[i].ARC, theirs.ARC)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		heard[who] = true
	})
	c.end(corpora && len(heard) == len(implementations))
}

// fromCorpora are all messages of ../shared/corpora that are signed or sealed, with the
// keys that come with them.
func fromCorpora(t *testing.T) (list []sample) {
	const base = "../../shared/corpora"
	keys := map[string]records{}
	add := func(set string, more records) {
		if keys[set] == nil {
			keys[set] = records{}
		}
		for name, text := range more {
			keys[set][strings.ToLower(name)] = text
		}
	}
	read := func(pattern string) map[string]string {
		files, _ := filepath.Glob(filepath.Join(base, pattern))
		texts := map[string]string{}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			texts[f] = string(b)
		}
		return texts
	}
	for _, text := range read("dkim-fastmail/common/FAKE_DNS.dat") {
		add("dkim-fastmail", keyLines(text))
	}
	for _, text := range read("dkim-chasquid/*.dns") {
		add("dkim-chasquid", keyLines(strings.ReplaceAll(text, "\\\n", " ")))
	}
	for _, text := range read("dkim-dkimpy/common/data/test.txt") {
		add("dkim-dkimpy", records{"test._domainkey.example.com": strings.TrimSpace(text)})
	}
	for _, text := range read("arc-valimail/arc-draft-validation-tests.json") {
		var suites []struct {
			Tests   map[string]struct{ Message string }
			Records records `json:"txt-records"`
		}
		if err := json.Unmarshal([]byte(text), &suites); err != nil {
			t.Fatal(err)
		}
		for _, s := range suites {
			for name, c := range s.Tests {
				list = append(list, sample{"corpora/arc-valimail/" + name, crlf(c.Message), s.Records})
			}
		}
	}
	err := filepath.Walk(base, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || info.Size() > 4<<20 {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(base, path)
		set, _, _ := strings.Cut(name, string(filepath.Separator))
		text, own := crlf(string(b)), keys[set]
		if set == "dkim-mail-auth" || set == "arc-mail-auth" {
			head, rest, _ := strings.Cut(text, "\r\n\r\n")
			text, own = rest, keyLines(head)
		}
		if signedOrSealed(text) {
			if own == nil {
				own = records{}
			}
			list = append(list, sample{"corpora/" + filepath.ToSlash(name), text, own})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func signedOrSealed(text string) bool {
	r := strings.NewReader(text)
	header, _, err := dkim.ReadHeader(r, r.Size())
	for _, f := range header {
		if f.Is("DKIM-Signature") || f.Is("ARC-Seal") || f.Is("ARC-Message-Signature") {
			return err == nil
		}
	}
	return false
}

// keyLines reads "name record" lines.
func keyLines(lines string) records {
	r := records{}
	for line := range strings.Lines(lines) {
		name, record, ok := strings.Cut(strings.ReplaceAll(strings.TrimSpace(line), "\t", " "), " ")
		record = strings.TrimSpace(record)
		if ok && strings.Contains(name, "_domainkey") && !strings.Contains(record, "NXDOMAIN") && !strings.HasPrefix(record, "~~") {
			r[strings.ToLower(strings.TrimRight(name, ":."))] = record
		}
	}
	return r
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}
