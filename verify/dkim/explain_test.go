package dkim_test

import (
	"context"
	"encoding/base64"
	"mime/quotedprintable"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// counted counts the octets that are read of the content.
type counted struct {
	*strings.Reader
	n atomic.Int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.n.Add(int64(n))
	return n, err
}

// reasoning gives the steps of a message's verification, and how much was read for it.
func reasoning(t testing.TB, r dns.Resolver, message string, notes *why.Notes) (steps string, read int64) {
	t.Helper()
	content := &counted{Reader: strings.NewReader(message)}
	header, body, err := dkim.ReadHeader(content, content.Size())
	if err != nil {
		t.Fatal(err)
	}
	content.n.Store(0)
	ctx := why.Section(why.With(context.Background(), notes), "DKIM")
	dkim.Verify(ctx, ctx, r, dkim.Message{Header: header, Content: content, Body: body, Size: content.Size()}, time.Now())
	if notes == nil {
		return "", content.n.Load()
	}
	var b strings.Builder
	if _, err := notes.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String(), content.n.Load()
}

func TestTheReasoningSaysWhatWasLookedAt(t *testing.T) {
	z := zone(t)
	message := retag(t, func(tags string) string {
		return "i=ann@sender.example; t=1700000000; x=99999999999; " + strings.Replace(tags, "h=From", "h=From:From:Subject", 1)
	}, rsaKey())
	message = strings.Replace(message, "From: a@", "To: b@in.example\r\nFrom: a@", 1)
	steps, _ := reasoning(t, z, "DKIM-Signature: nonsense\r\n"+message, why.New())
	for _, want := range []string{
		"signature 1 of 2: d= s= a=, for \"\"", "permerror: malformed signature field",
		"signature 2 of 2: d=sender.example s=rsa a=rsa-sha256, for \"ann@sender.example\"",
		"it was made at 2023-11-14T22:13:20Z and holds until 5138-11-16T09:46:39Z",
		"signed header fields: from, from, subject", "so that none can be added: from, subject",
		"anybody on the way can change it unnoticed: to (RFC 6376 5.4.1)",
		"key at rsa._domainkey.sender.example: RSA, 2048 bits\n",
		"body: 3 octets, in simple form; its SHA-256 is " + hash64("x\r\n") + ", bh= says " + hash64("x\r\n"), "the body fits. The SHA-256",
		"\n    pass\n",
	} {
		if !strings.Contains(steps, want) {
			t.Errorf("%q is not there:\n%s", want, steps)
		}
	}
	if steps, _ := reasoning(t, z, plain, why.New()); !strings.Contains(steps, "the message has no DKIM-Signature field") {
		t.Errorf("no signature: %s", steps)
	}
}

func TestTheReasoningNamesTheCause(t *testing.T) {
	const words = "Hello,\r\n\r\nhow are you?\r\nJürgen\r\n"
	const header = "From: ann@sender.example\r\nSubject: news\r\nMIME-Version: 1.0\r\n"
	relaxed := sign(t, header+"\r\n"+words, options(rsaKey(), "relaxed", "relaxed"))
	simple := sign(t, header+"\r\n"+words, options(rsaKey(), "simple", "simple"))
	few := options(rsaKey(), "relaxed", "relaxed")
	few.HeaderKeys = []string{"From", "Subject", "Reply-To"}
	var quoted strings.Builder
	w := quotedprintable.NewWriter(&quoted)
	w.Write([]byte(words))
	w.Close()
	encode := func(encoding, text string) string {
		return strings.Replace(strings.Replace(sign(t, header+"\r\n"+words, few), words, text, 1), "MIME-Version", "Content-Transfer-Encoding: "+encoding+"\r\nMIME-Version", 1)
	}
	other := zone(t)
	for _, c := range []struct {
		cause, message string
		r              dns.Resolver
		want           string
	}{
		{"a list's footer", relaxed + "-- \r\nto leave\r\n\r\nthe list\r\n", nil, "the body fits without its last 4 lines: a mailing list's footer"},
		{"a footer after blank lines", relaxed + "\r\n\r\nfooter\r\n", nil, "the body fits without its last 3 lines"},
		{"a footer without its line end", relaxed + "footer", nil, "the body fits without its last 1 lines"},
		{"a warning on top", strings.Replace(relaxed, "Hello,", "CAUTION: this is from outside\r\n\r\nHello,", 1), nil, "the body fits without its first 2 lines"},
		{"blanks at line ends", strings.Replace(simple, "you?\r\n", "you? \r\n", 1), nil, "the body fits in relaxed form: only blanks were changed on the way"},
		{"blanks and a footer", strings.Replace(simple, "you?\r\n", "you? \r\n", 1) + "footer\r\n", nil, "the body fits in relaxed form without its last 1 lines"},
		{"quoted-printable", encode("quoted-printable", quoted.String()), nil, "once its quoted-printable is undone"},
		{"base64", encode("base64", base64.StdEncoding.EncodeToString([]byte(words))+"\r\n"), nil, "once its base64 is undone"},
		{"a word in the middle", strings.Replace(relaxed, "how", "who", 1), nil, "what was changed can't be told. Usual causes: a mailing list's footer"},
		{"a tag in the Subject", strings.Replace(relaxed, "Subject: news", "Subject: [list] news", 1), nil, "it holds if the Subject is without what stands in brackets"},
		{"two tags in the Subject", strings.Replace(relaxed, "Subject: news", "Subject: [EXTERNAL] [list] news", 1), nil, "it holds if the Subject is without what stands in brackets"},
		{"a field that was kept free", strings.Replace(sign(t, header+"\r\n"+words, few), "\r\nSubject:", "\r\nReply-To: list@x.example\r\nSubject:", 1), nil, "it holds if a field reply-to is left out"},
		{"another Subject", strings.Replace(relaxed, "Subject: news", "Subject: olds", 1), nil, "made with this key, but over other header fields"},
		{"another key", relaxed, record("rsa._domainkey.sender.example", keyRecord(newRSA(2048)())), "the signature was not made with this key at all"},
		{"no key", relaxed, record("rsa._domainkey.sender.example", "v=DKIM1; p="), "the owner of sender.example must mend the record at rsa._domainkey.sender.example"},
		{"a short key", relaxed, record("rsa._domainkey.sender.example", "p="+short()), "the owner of sender.example must publish another key"},
		{"an empty body was signed", sign(t, header+"\r\n", options(rsaKey(), "relaxed", "relaxed")) + words, nil, "bh= is the hash of a body that is empty"},
		{"signed with LF", retag(t, func(tags string) string {
			return strings.Replace(tags, "bh="+hash64("x\r\n"), "bh="+hash64("x\n"), 1)
		}, edKey()), nil, "the body fits with line ends of LF alone"},
		{"signed as simple, says relaxed", strings.Replace(sign(t, header+"\r\nx  \r\n", options(rsaKey(), "relaxed", "simple")), "c=relaxed/simple", "c=relaxed/relaxed", 1), nil, "the body fits in simple form"},
		{"two authors", "From: x@bank.example\r\n" + relaxed, nil, "of 2 From fields only the lowest 1 is signed"},
	} {
		r := c.r
		if r == nil {
			r = other
		}
		steps, _ := reasoning(t, r, c.message, why.New())
		if !strings.Contains(steps, c.want) {
			t.Errorf("%s: %q is not there:\n%s", c.cause, c.want, steps)
		}
	}
}

// TestWithoutNotesTheBodyIsReadOnce: what looks for causes costs nothing then.
func TestWithoutNotesTheBodyIsReadOnce(t *testing.T) {
	message := sign(t, plain, options(rsaKey(), "relaxed", "relaxed")) + strings.Repeat("footer\r\n", 1000)
	_, body, _ := strings.Cut(message, "\r\n\r\n")
	_, quiet := reasoning(t, zone(t), message, nil)
	_, loud := reasoning(t, zone(t), message, why.New())
	if quiet != int64(len(body)) || loud <= quiet {
		t.Errorf("%d octets read without notes, %d with, of a body of %d", quiet, loud, len(body))
	}
	// Of many body hashes three are looked into, each once: five passes over the body each at the most.
	field, rest, _ := strings.Cut(message, "\r\nFrom:")
	many := ""
	for i := range 10 {
		many += strings.Replace(field, "bh=", "bh="+hash64(string(rune('a'+i/2)))+"; xx=", 1) + "\r\n"
	}
	if _, read := reasoning(t, zone(t), many+"From:"+rest, why.New()); read > 16*int64(len(body)) {
		t.Errorf("%d octets read for ten signatures, of a body of %d", read, len(body))
	}
	s := one(t, zone(t), message)
	if s.Result != authres.Fail || s.Reason != "the body was changed" {
		t.Errorf("%+v", s)
	}
}
