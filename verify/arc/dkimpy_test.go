package arc_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mxhook/verify/sealer"
)

// dkimpy reads one JSON object a line, {message, records}, and writes a word for each.
const dkimpy = `
import json, sys, dkim
for line in sys.stdin:
    case = json.loads(line)
    def txt(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        text = case["records"].get(name.rstrip("."))
        return text.encode() if text is not None else None
    try:
        cv, _, _ = dkim.ARC(case["message"].encode("utf-8", "surrogateescape"), minkey=1024).verify(dnsfunc=txt)
        print({None: "ended", b"none": "none", b"pass": "pass", b"fail": "fail"}[cv])
    except Exception:
        print("fail")
`

// python finds an interpreter that has dkimpy, or skips, or fails where all must be here.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import dkim").Run() == nil {
			return name
		}
	}
	if os.Getenv("MXHOOK_INTEROP") == "require" {
		t.Fatal("python3-dkim is not installed, and MXHOOK_INTEROP=require")
	}
	t.Skip("python3-dkim is not installed")
	return ""
}

type question struct {
	name    string
	Message string            `json:"message"`
	Records map[string]string `json:"records"`
}

// differences are the cases in which dkimpy says otherwise, and why. "ended" is its word
// for a chain that some seal says was broken.
var differences = map[string]string{
	"cv_fail_i1_as_cv_fail":       "ended is fail (RFC 8617 5.2, step 2)",
	"cv_fail_i2_as1_fail":         "ended is fail (RFC 8617 5.2, step 3)",
	"cv=fail":                     "ended is fail (RFC 8617 5.2, step 2)",
	"dkim-mailauth/arc-fail3.eml": "ended is fail (RFC 8617 5.2, step 2)",
	"arc-mail-auth/002.txt":       "ed25519-sha256, which its ARC does not know; RFC 8617 takes the algorithms of DKIM, RFC 8463 among them",
}

func TestAgreementWithDkimpy(t *testing.T) {
	py := python(t)
	var questions []question
	for _, s := range suites() {
		for name, c := range s.Tests {
			questions = append(questions, question{name, crlf(c.Message), s.Records})
		}
	}
	t.Logf("%d cases of the suite", len(questions))
	for _, c := range chains(t) {
		questions = append(questions, c.question)
	}
	questions = append(questions, ours(t)...)
	var in bytes.Buffer
	for _, q := range questions {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(py, "-c", dkimpy)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(out))
	if len(words) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(words), len(questions))
	}
	agreed := 0
	for i, q := range questions {
		s := suite{Records: q.Records}
		_, e := validate(t, s.zone(t), q.Message)
		_, known := differences[q.name]
		if (words[i] == string(e.Result)) == known {
			t.Errorf("%s: dkimpy says %s, here it is %+v", q.name, words[i], e)
		}
		if words[i] == string(e.Result) {
			agreed++
		}
	}
	t.Logf("%d of %d agree", agreed, len(questions))
}

// ours are chains by the test's own sealer, good ones and changed ones. Keys are RSA:
// for ed25519 dkimpy needs a library that may not be there.
func ours(t *testing.T) (list []question) {
	t.Helper()
	_, text, _ := strings.Cut(record("rsa", rsaKey(), ""), " TXT ")
	text = strings.ReplaceAll(strings.Trim(text, "\"\n"), `" "`, "")
	records := map[string]string{"rsa._domainkey.one.example": text, "rsa._domainkey.two.example": text}
	by := func(domain string, change ...func(*sealer.Sealer)) sealer.Sealer {
		s := sealer.Sealer{Domain: domain, Selector: "rsa", Signer: crypto.Signer(rsaKey()), Results: "mx." + domain + ";\r\n dmarc=pass\r\n header.from=sender.example"}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	simple := func(s *sealer.Sealer) { s.Simple = true }
	one := by("one.example").Seal(plain)
	two := by("two.example", simple).Seal(one)
	long := plain
	for range 12 {
		long = by("one.example").Seal(long)
	}
	for name, message := range map[string]string{
		"none":             plain,
		"one":              one,
		"two":              two,
		"twelve":           long,
		"no body":          by("one.example").Seal(strings.TrimSuffix(plain, "Hello.\r\n")),
		"empty simple":     by("one.example", simple).Seal(strings.TrimSuffix(plain, "Hello.\r\n")),
		"line ends":        by("one.example").Seal(plain + "\r\n\r\n \r\n"),
		"blanks":           by("one.example").Seal(strings.ReplaceAll(plain, "Hello.", "Hello,  \t you. \t")),
		"changed between":  by("two.example").Seal(strings.Replace(one, "Hello.", "Hullo.", 1)),
		"changed at last":  strings.Replace(two, "Hello.", "Hullo.", 1),
		"folded at last":   strings.Replace(two, "Subject: hello", "Subject:\r\n  hello", 1),
		"results changed":  strings.Replace(two, "dmarc=pass", "dmarc=fail", 1),
		"cv=fail":          by("two.example", func(s *sealer.Sealer) { s.CV = "fail" }).Seal(one),
		"cv=none at two":   by("two.example", func(s *sealer.Sealer) { s.CV = "none" }).Seal(one),
		"a gap":            by("two.example", func(s *sealer.Sealer) { s.Instance = 3 }).Seal(one),
		"twice the first":  by("two.example", func(s *sealer.Sealer) { s.Instance = 1 }).Seal(one),
		"no such key":      by("three.example").Seal(plain),
		"h= in the seal":   by("one.example", func(s *sealer.Sealer) { s.SealTags = "; h=from" }).Seal(plain),
		"a signed seal":    by("two.example", func(s *sealer.Sealer) { s.Headers = "From:ARC-Seal" }).Seal(one),
		"signed results":   by("two.example", func(s *sealer.Sealer) { s.Headers = "From:ARC-Authentication-Results" }).Seal(one),
		"names repeated":   by("one.example", func(s *sealer.Sealer) { s.Headers = "From:From:To:Subject:Subject" }).Seal(plain),
		"a second subject": "Subject: more\r\n" + by("one.example", func(s *sealer.Sealer) { s.Headers = "From:Subject:Subject" }).Seal(plain),
	} {
		list = append(list, question{name, message, records})
	}
	return list
}
