package dkim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
)

// TestForms: each tag in the forms that RFC 6376 3.5 allows, and in others.
func TestForms(t *testing.T) {
	z := zone(t)
	tail := "; b="
	for _, c := range []struct{ rule, old, new, reason string }{
		{"c= without a body's is simple for that", "c=relaxed/simple", "c=relaxed", ""},
		{"c= in any case", "c=relaxed/simple", "c=Relaxed/SIMPLE", ""},
		{"c= with a slash alone", "c=relaxed/simple", "c=relaxed/", "the canonicalization is unknown"},
		{"c= without a header's", "c=relaxed/simple", "c=/simple", "the canonicalization is unknown"},
		{"c= without a value", "c=relaxed/simple", "c=", "the canonicalization is unknown"},
		{"c= of three", "c=relaxed/simple", "c=relaxed/simple/simple", "the canonicalization is unknown"},
		{"a= in any case", "a=ed25519-sha256", "a=ED25519-SHA256", ""},
		{"a= with blanks", "a=ed25519-sha256", "a= ed25519-sha256 ", ""},
		{"a= of half a name", "a=ed25519-sha256", "a=ed25519", "the algorithm is unknown"},
		{"a= of a hash that there is not", "a=ed25519-sha256", "a=ed25519-sha1", "the algorithm is unknown"},
		{"q= of one method", "v=1", "q=dns/txt; v=1", ""},
		{"q= in any case", "v=1", "q=DNS/TXT; v=1", ""},
		{"q= of several, with ours", "v=1", "q=http/xml : dns/txt; v=1", ""},
		{"q= of none", "v=1", "q=; v=1", "the key's query method is unknown"},
		{"h= with blanks and in any case", "h=From", "h= To : FROM : Subject", ""},
		{"h= of nothing", "h=From", "h=", "the signature lacks h="},
		{"h= of colons", "h=From", "h=::", "the From field is not signed"},
		{"h= of a name that only begins alike", "h=From", "h=From-X", "the From field is not signed"},
		{"h= that names the signature", "h=From", "h=From:DKIM-Signature", ""},
		{"v= with blanks", "v=1", "v= 1 ", ""},
		{"v= of 1.0", "v=1", "v=1.0", "the signature is of another version"},
		{"v= of nothing", "v=1", "v=", "the signature lacks v="},
		{"no v=", "v=1; ", "", "the signature lacks v="},
		{"b= of no base64", tail, "; b=****", "b= is malformed"},
		{"bh= of another length", "bh=", "bh=AAAA", "the body was changed"},
		{"s= of several labels", "s=ed", "s=ed.below", "no key at ed.below._domainkey.sender.example"},
		{"s= that is no name", "s=ed", "s=e d*\x01", "s= is no selector"},
		{"l= of twenty digits", "v=1", "l=99999999999999999999; v=1", "l= is malformed"},
		{"l= of nothing", "v=1", "l=; v=1", "l= is malformed"},
		{"t= with a sign", "v=1", "t=+1; v=1", "t= is malformed"},
		{"t= after x=", "v=1", "t=2000000000; x=1999999999; v=1", "the signature ends before it begins"},
		{"t= at x=", "v=1", "t=99999; x=99999; v=1", "the signature expired at 1970-01-02T03:46:39Z"},
		{"z= is passed over", "v=1", "z=From:a@bank.example|Subject:=20x; v=1", ""},
		{"names of tags are case-sensitive", "v=1", "V=2; v=1", ""},
		{"a tag list that ends in a semicolon", "v=1", "v=1 ", ""},
		{"a gap between semicolons", "v=1;", "v=1; ;", ""},
		{"a name that begins with a digit", "v=1", "1x=y; v=1", "malformed signature field"},
		{"a name with a blank", "v=1", "x y=1; v=1", "malformed signature field"},
		{"a name beyond ASCII", "v=1", "\xc3\xbc=1; v=1", "malformed signature field"},
		{"no name", "v=1", "=1; v=1", "malformed signature field"},
		{"a value with an equals sign", "v=1", "y=a=b=c; v=1", ""},
		{"the same tag twice with the same value", "v=1", "v=1; v=1", "malformed signature field"},
		{"sixty-four tags", "v=1", tags(56) + "v=1", ""},
		{"sixty-five tags", "v=1", tags(57) + "v=1", "malformed signature field"},
	} {
		edit := func(s string) string {
			if !strings.Contains(s, c.old) {
				t.Fatalf("%s: %q is not there", c.rule, c.old)
			}
			return strings.Replace(s, c.old, c.new, 1)
		}
		message := retag(t, edit, edKey())
		if s := one(t, z, message); s.Reason != c.reason || (s.Result == authres.Pass) != (c.reason == "") {
			t.Errorf("%s: %s %q, want %q", c.rule, s.Result, s.Reason, c.reason)
		}
	}
}

// tags makes n tags that nobody knows.
func tags(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d=y; ", i)
	}
	return b.String()
}

// TestFolds: a signature field may be folded wherever a blank may stand, and within
// b=, bh= and h=.
func TestFolds(t *testing.T) {
	signed := sign(t, plain, options(rsaKey(), "relaxed", "relaxed"))
	head, rest, _ := strings.Cut(signed, "\r\nFrom:")
	value := strings.ReplaceAll(head, "\r\n", "")
	at := strings.LastIndex(value, "b=") + 2
	for name, sig := range map[string]string{"every ten": fold(value[at:], 10, "\r\n "), "every one": fold(value[at:], 1, "\r\n\t"), "blank lines": fold(value[at:], 30, "\r\n \r\n ")} {
		if s := one(t, zone(t), value[:at]+sig+"\r\nFrom:"+rest); s.Result != authres.Pass {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func fold(s string, every int, with string) string {
	var b strings.Builder
	for len(s) > every {
		b.WriteString(s[:every] + with)
		s = s[every:]
	}
	return b.String() + s
}

// TestSignaturesBeyondTheLimits: the eleventh is listed and not verified, the
// fifty-first is not listed.
func TestSignaturesBeyondTheLimits(t *testing.T) {
	field, rest, _ := strings.Cut(retag(t, func(s string) string { return s }, edKey()), "\r\nFrom:")
	for _, n := range []int{1, dkim.MaxVerified, dkim.MaxVerified + 1, dkim.MaxSignatures, dkim.MaxSignatures + 1} {
		s := verify(t, zone(t), strings.Repeat(field+"\r\n", n)+"From:"+rest, time.Now())
		passed, listed := 0, 0
		for _, one := range s {
			switch {
			case one.Result == authres.Pass:
				passed++
			case one.Result == authres.Policy && strings.HasPrefix(one.Reason, "not verified: ") && one.Domain == "sender.example" && one.KeyBits == 0:
				listed++
			}
		}
		if passed != min(n, dkim.MaxVerified) || passed+listed != min(n, dkim.MaxSignatures) || len(s) != passed+listed {
			t.Errorf("%d signatures: %d results, %d pass", n, len(s), passed)
		}
	}
}
