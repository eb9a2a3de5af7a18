package dkim_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"mxhook/verify/authres"
)

// retag rewrites a signature's tags before it is signed: it signs by itself, since the
// library writes only what is right. The body is "x\r\n", the header one From.
func retag(t testing.TB, edit func(tags string) string, signer crypto.Signer) string {
	t.Helper()
	return retagOver(t, "from:a@sender.example\r\n", edit, signer) + "From: a@sender.example\r\n\r\nx\r\n"
}

// retagOver gives the signature field alone, over these canonical fields.
func retagOver(t testing.TB, fields string, edit func(tags string) string, signer crypto.Signer) string {
	t.Helper()
	bodyHash := sha256.Sum256([]byte("x\r\n"))
	selector, algorithm := "rsa", "rsa-sha256"
	if _, ok := signer.(ed25519.PrivateKey); ok {
		selector, algorithm = "ed", "ed25519-sha256"
	}
	tags := edit("v=1; a=" + algorithm + "; d=sender.example; s=" + selector + "; c=relaxed/simple; h=From; bh=" +
		base64.StdEncoding.EncodeToString(bodyHash[:]) + "; b=")
	digest := sha256.Sum256([]byte(fields + "dkim-signature:" + tags))
	var hash crypto.SignerOpts = crypto.SHA256
	if algorithm != "rsa-sha256" {
		hash = crypto.Hash(0)
	}
	sig, err := signer.Sign(rand.Reader, digest[:], hash)
	if err != nil {
		t.Fatal(err)
	}
	return "DKIM-Signature: " + tags + base64.StdEncoding.EncodeToString(sig) + "\r\n"
}

func TestTags(t *testing.T) {
	z := zone(t)
	with := func(more string) func(string) string {
		return func(tags string) string { return strings.TrimSpace(more + " " + tags) }
	}
	replace := func(old, fresh string) func(string) string {
		return func(tags string) string { return strings.Replace(tags, old, fresh, 1) }
	}
	for _, c := range []struct {
		rule   string
		edit   func(string) string
		want   authres.Result
		reason string
	}{
		{"as it should be", with(""), authres.Pass, ""},
		{"i= below d=", with("i=ann@list.sender.example;"), authres.Pass, ""},
		{"i= in other case and quoted-printable", with("i=ann=40LIST=2Esender.EXAMPLE;"), authres.Pass, ""},
		{"i= of another domain", with("i=ann@evilsender.example;"), authres.PermError, "i= is not of the domain d="},
		{"i= without @", with("i=sender.example;"), authres.PermError, "i= is not of the domain d="},
		{"d= in other case", replace("d=sender.example", "d=SENDER.Example"), authres.Pass, ""},
		{"l= that covers all", with("l=3;"), authres.Pass, "l= covers the whole body"},
		{"l= beyond the body", with("l=9;"), authres.PermError, "l= is more than the body has"},
		{"l= that is no number", with("l=-1;"), authres.PermError, "l= is malformed"},
		{"expired", with("t=1000; x=2000;"), authres.Fail, "the signature expired at 1970-01-01T00:33:20Z"},
		{"not expired", with("x=99999999999;"), authres.Pass, ""},
		{"x= of forty digits", with("x=" + strings.Repeat("9", 40) + ";"), authres.PermError, "x= is malformed"},
		{"x= before t=", with("t=99999999999; x=9999999999;"), authres.PermError, "the signature ends before it begins"},
		{"t= in the future", with("t=99999999999;"), authres.Fail, "the signature is from the future (t=)"},
		{"t= of twenty digits", with("t=18446744073709551615;"), authres.Fail, "the signature is from the future (t=)"},
		{"a tag twice", with("s=other;"), authres.PermError, "malformed signature field"},
		{"an unknown tag", with("zz=1;"), authres.Pass, ""},
		{"no value", with("garbage;"), authres.PermError, "malformed signature field"},
		{"another version", replace("v=1", "v=2"), authres.PermError, "the signature is of another version"},
		{"rsa-sha1", replace("a=rsa-sha256", "a=rsa-sha1"), authres.Policy, "rsa-sha1 is too weak"},
		{"an unknown algorithm", replace("a=rsa-sha256", "a=rot13\x01\xff"), authres.PermError, "the algorithm is unknown"},
		{"the key of another algorithm", replace("s=rsa", "s=ed"), authres.PermError, "the key is not for rsa-sha256"},
		{"From not signed", replace("h=From", "h=To"), authres.PermError, "the From field is not signed"},
		{"no d=", replace("d=sender.example;", ""), authres.PermError, "the signature lacks d="},
		{"d= that is no domain", replace("d=sender.example", "d=a..b"), authres.PermError, "d= is no domain"},
		{"bh= that is no base64", replace("bh=", "bh=*"), authres.PermError, "bh= is malformed"},
		{"an unknown canonicalization", replace("c=relaxed/simple", "c=relaxed/none"), authres.PermError, "the canonicalization is unknown"},
		{"an unknown query method", with("q=http/xml;"), authres.PermError, "the key's query method is unknown"},
		{"more names in h= than fields", replace("h=From", "h=From:From:To"), authres.Pass, ""},
		{"ten thousand names in h=", replace("h=From", "h=From"+strings.Repeat(":x", 10_000)), authres.Pass, ""},
		{"a tag list that is too long", with("z=" + strings.Repeat("x", 70_000) + ";"), authres.PermError, "malformed signature field"},
		{"a missing key", replace("s=rsa", "s=gone"), authres.PermError, "no key at gone._domainkey.sender.example"},
	} {
		s := one(t, z, retag(t, c.edit, rsaKey()))
		if s.Result != c.want || s.Reason != c.reason {
			t.Errorf("%s: %s %q, want %s %q", c.rule, s.Result, s.Reason, c.want, c.reason)
		}
	}
	// A signature that names its own kind signs others, never itself.
	inner := retag(t, with(""), edKey())
	field, _, _ := strings.Cut(inner, "\r\n")
	for _, names := range []string{"h=From:DKIM-Signature", "h=DKIM-Signature:From:DKIM-Signature"} {
		digested := "from:a@sender.example\r\n" + "dkim-signature:" + strings.TrimPrefix(field, "DKIM-Signature: ") + "\r\n"
		if strings.HasPrefix(names, "h=D") {
			digested = digested[len("from:a@sender.example\r\n"):] + "from:a@sender.example\r\n"
		}
		outer := retagOver(t, digested, replace("h=From", names), rsaKey())
		if s := verify(t, z, outer+inner, time.Now()); len(s) != 2 || s[0].Result != authres.Pass || s[1].Result != authres.Pass {
			t.Errorf("%s: %+v", names, s)
		}
	}
	partly := strings.Replace(retag(t, with("l=3;"), rsaKey()), "\r\n\r\nx\r\n", "\r\n\r\nx\r\nmore\r\n", 1)
	if s := one(t, z, partly); s.Result != authres.Policy || s.Reason != "l= leaves 6 bytes of the body unsigned" {
		t.Errorf("l= with text behind it: %+v", s)
	}
}

func TestTheClockIsGiven(t *testing.T) {
	const day = 24 * 60 * 60
	message := retag(t, func(tags string) string { return "t=100000; x=200000; " + tags }, edKey())
	for at, want := range map[int64]authres.Result{
		100000 - day - 1: authres.Fail, 100000 - day: authres.Pass, 150000: authres.Pass, 200000: authres.Pass, 200001: authres.Fail,
	} {
		if s := verify(t, zone(t), message, time.Unix(at, 0)); s[0].Result != want {
			t.Errorf("at %d: %+v, want %s", at, s[0], want)
		}
	}
}
