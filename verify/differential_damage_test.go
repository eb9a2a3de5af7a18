package verify_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	msgdkim "github.com/emersion/go-msgauth/dkim"

	"mxhook/verify/sealer"
)

// letters are what is signed.
var letters = []string{
	"Hello,\r\n\r\nyou.\r\n",
	"  Indented,  with \t blanks  \r\n\r\n.\r\n \r\nand lines\r\n\r\n\r\n",
	"",
	"\r\n\r\n",
	"no end",
	"caf\xe9 \xc3\xa9\r\n" + strings.Repeat("A long line of words. ", 80) + "\r\n",
}

// damages are what happens to a message on its way; r decides where.
var damages = []struct {
	name   string
	damage func(r *rand.Rand, m string) string
}{
	{"none", func(_ *rand.Rand, m string) string { return m }},
	{"subject folded", func(_ *rand.Rand, m string) string { return strings.Replace(m, "Subject: ", "Subject:\r\n\t ", 1) }},
	{"subject with blanks", func(_ *rand.Rand, m string) string { return strings.Replace(m, "a subject", "a   subject\t ", 1) }},
	{"subject changed", func(_ *rand.Rand, m string) string { return strings.Replace(m, "a subject", "a sybject", 1) }},
	{"subject gone", func(_ *rand.Rand, m string) string { return strings.Replace(m, "Subject: a subject\r\n", "", 1) }},
	{"subject twice, above", func(_ *rand.Rand, m string) string { return "Subject: more\r\n" + m }},
	{"subject twice, below", func(_ *rand.Rand, m string) string { return beforeBody(m, "Subject: more\r\n") }},
	{"name in capitals", func(_ *rand.Rand, m string) string { return strings.Replace(m, "\r\nSubject:", "\r\nSUBJECT :", 1) }},
	{"fields in another order", func(_ *rand.Rand, m string) string {
		return strings.Replace(strings.Replace(m, "To: you@in.example\r\n", "", 1), "\r\nDate:", "\r\nTo: you@in.example\r\nDate:", 1)
	}},
	{"From above", func(_ *rand.Rand, m string) string { return "From: boss@bank.example\r\n" + m }},
	{"From below", func(_ *rand.Rand, m string) string { return beforeBody(m, "From: boss@bank.example\r\n") }},
	{"unsigned field above", func(_ *rand.Rand, m string) string {
		return "Received: from a by b;\r\n Sat, 21 Nov 2026 10:00:00 +0000\r\n" + m
	}},
	{"8-bit in the subject", func(_ *rand.Rand, m string) string { return strings.Replace(m, "a subject", "a s\xfcbject", 1) }},
	{"line ends appended", func(r *rand.Rand, m string) string { return m + strings.Repeat("\r\n", 1+r.IntN(5)) }},
	{"blank lines appended", func(_ *rand.Rand, m string) string { return m + " \r\n\t\r\n" }},
	{"text appended", func(_ *rand.Rand, m string) string { return m + "More.\r\n" }},
	{"last line end gone", func(_ *rand.Rand, m string) string { return strings.TrimSuffix(m, "\r\n") }},
	{"a space more in the body", func(r *rand.Rand, m string) string { return inBody(r, m, " ", "  ") }},
	{"a tab for a space", func(r *rand.Rand, m string) string { return inBody(r, m, " ", "\t") }},
	{"blanks at a line's end", func(r *rand.Rand, m string) string { return inBody(r, m, "\r\n", " \t\r\n") }},
	{"a letter changed", func(r *rand.Rand, m string) string { return inBody(r, m, "e", "3") }},
	{"8-bit in the body", func(r *rand.Rand, m string) string { return inBody(r, m, "o", "\xf6") }},
	{"line broken", func(r *rand.Rand, m string) string { return inBody(r, m, " ", "\r\n") }},
	{"signature folded elsewhere", func(_ *rand.Rand, m string) string { return strings.Replace(m, "; d=", ";\r\n\td=", 1) }},
	{"signature with one more tag", func(_ *rand.Rand, m string) string { return strings.Replace(m, "; d=", "; xx=yy; d=", 1) }},
	{"signature twice", func(_ *rand.Rand, m string) string {
		field := m[:len(m)-len(m[strings.Index(m, "\r\nFrom:")+2:])]
		return field + m
	}},
	{"b= with blanks", func(_ *rand.Rand, m string) string { return bTag.ReplaceAllString(m, "$1\r\n  $2 $3") }},
	{"b= cut off", func(_ *rand.Rand, m string) string { return bTag.ReplaceAllString(m, "$1$2") }},
}

var bTag = regexp.MustCompile(`([^b]b=)([A-Za-z0-9+/]{8})([A-Za-z0-9+/])`)

func beforeBody(m, field string) string {
	return strings.Replace(m, "\r\n\r\n", "\r\n"+field+"\r\n", 1)
}

// inBody replaces one of those that are there.
func inBody(r *rand.Rand, m, old, new string) string {
	header, body, _ := strings.Cut(m, "\r\n\r\n")
	n := strings.Count(body, old)
	if n == 0 {
		return m
	}
	at := -1
	for range 1 + r.IntN(n) {
		at += 1 + strings.Index(body[at+1:], old)
	}
	return header + "\r\n\r\n" + body[:at] + new + body[at+len(old):]
}

const letterHeader = "From: Ann <ann@sender.example>\r\nTo: you@in.example\r\nSubject: a subject\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n"

// damaged are letters that this test signs and seals, each with every damage. The places
// are always the same.
func damaged(t *testing.T) (list []sample) {
	keys := records{}
	for selector, signer := range map[string]crypto.Signer{"rsa": rsaKey(), "ed": edKey()} {
		for _, domain := range []string{"sender.example", "one.example", "two.example"} {
			keys[selector+"._domainkey."+domain] = keyRecord(t, signer)
		}
	}
	r := rand.New(rand.NewPCG(8617, 6376))
	add := func(name, message string) {
		for _, d := range damages {
			list = append(list, sample{"signed here/" + name + ", " + d.name, d.damage(r, message), keys})
		}
	}
	for i, letter := range letters {
		message := letterHeader + letter
		for j, c := range []string{"relaxed/relaxed", "simple/simple", "relaxed/simple", "simple/relaxed"} {
			if i > 1 && (i+j)%2 == 0 {
				continue // enough of each
			}
			o := relaxed("sender.example", "rsa", rsaKey())
			if (i+len(c))%2 == 0 {
				o = relaxed("sender.example", "ed", edKey())
			}
			head, body, _ := strings.Cut(c, "/")
			o.HeaderCanonicalization, o.BodyCanonicalization = msgdkim.Canonicalization(head), msgdkim.Canonicalization(body)
			if i == 0 {
				o.HeaderKeys = []string{"From", "From", "To", "Subject", "Subject", "Date"}
			}
			add(fmt.Sprintf("letter %d %s %s", i, c, o.Selector), sign(t, message, o))
		}
		one := sealer.Sealer{Domain: "one.example", Selector: "rsa", Signer: rsaKey(), Results: "mx.one.example; dkim=pass header.d=sender.example", Simple: i%2 == 0}
		two := sealer.Sealer{Domain: "two.example", Selector: "rsa", Signer: rsaKey(), Results: "mx.two.example; arc=pass"}
		if i < 3 {
			add(fmt.Sprintf("letter %d sealed twice", i), two.Seal(one.Seal(message)))
		}
	}
	for _, tags := range []string{
		"l=5;", "l=0;", "l=100000;", "l=7; x=1;", "x=1;", "x=4000000000; t=1;", "t=1; x=1;", "t=4000000000;", "t=2; x=1;", "i=@sub.sender.example;",
		"i=ann@sender.example;", "i=@other.example;", "i=sender.example;", "q=dns/txt;", "q=http;", "q=dns/txt:http;", "xx=;", "z=From:x|To:y;",
		"c=Relaxed/Relaxed;", "c=relaxed;", "c=nowsp;", "v=2;", "d=SENDER.example;", "h=To:Subject;", "h=From:From:Nothing;", "h= From : To ;",
		"d=none.example;", "s=none;", "s=rsa.extra;", "a=rsa-sha1;", "a=RSA-SHA256;", "a=rsa-md5;",
	} {
		list = append(list, sample{"signed here/tags " + tags, signedByHand(letterHeader+letters[0], tags), keys})
	}
	return list
}

// signedByHand signs with tags that no signer writes. They stand in place of those of
// the same name.
func signedByHand(message, tags string) string {
	header, body, _ := strings.Cut(message, "\r\n\r\n")
	value := map[string]string{"v": "1", "a": "rsa-sha256", "c": "relaxed/simple", "d": "sender.example", "s": "rsa", "h": "From:To:Subject:Date"}
	order := []string{"v", "a", "c", "d", "s", "h"}
	for tag := range strings.SplitSeq(strings.TrimSuffix(tags, ";"), ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(tag), "=")
		if _, ok := value[name]; !ok {
			order = append(order, name)
		}
		value[name] = v
	}
	covered := strings.TrimRight(body, "\r\n") + "\r\n"
	if l, ok := value["l"]; ok {
		n := len(covered)
		fmt.Sscan(l, &n)
		covered = covered[:min(n, len(covered))]
	}
	bh := sha256.Sum256([]byte(covered))
	field := "DKIM-Signature: "
	for _, name := range order {
		field += name + "=" + value[name] + "; "
	}
	field += "bh=" + base64.StdEncoding.EncodeToString(bh[:]) + "; b="
	line := func(f string) string {
		name, v, _ := strings.Cut(f, ":")
		return strings.ToLower(name) + ":" + strings.Join(strings.Fields(v), " ")
	}
	data := ""
	for name := range strings.SplitSeq(value["h"], ":") {
		for f := range strings.SplitSeq(header, "\r\n") {
			n, _, _ := strings.Cut(f, ":")
			if strings.EqualFold(n, strings.TrimSpace(name)) && !strings.Contains(data, line(f)+"\r\n") {
				data += line(f) + "\r\n"
			}
		}
	}
	digest := sha256.Sum256([]byte(data + line(field)))
	sig, err := rsaKey().Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	return field + base64.StdEncoding.EncodeToString(sig) + "\r\n" + message
}
