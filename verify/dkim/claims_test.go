package dkim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

func TestWhatASignatureSaysOfItself(t *testing.T) {
	z := zone(t)
	tags := func(more string) string {
		return retag(t, func(s string) string { return more + s }, edKey())
	}
	for _, c := range []struct{ rule, tags, identity string }{
		{"i= is @ and d= by default", "", "@sender.example"},
		{"the domain in other case and quoted-printable, the local part as it is", "i=Ann=2EB=40LIST=2eSENDER.example; ", "Ann.B@list.sender.example"},
		{"blanks, where it was folded", "i=ann @sender .example; ", "ann@sender.example"},
		{"beyond ASCII", "i=j=C3=BCrgen@sender.example; ", "jürgen@sender.example"},
		{"an @ in the local part", "i=a=40b@sender.example; ", "a@b@sender.example"},
		{"control characters are left out with their local part", "i=a=0D=0AX:=20y@sender.example; ", "@sender.example"},
		{"so is text that hides", "i=a=E2=80=AEb@sender.example; ", "@sender.example"},
		{"so is no UTF-8", "i=a=FF@sender.example; ", "@sender.example"},
		{"so is what is too long", "i=" + strings.Repeat("a", 65) + "@sender.example; ", "@sender.example"},
		{"another domain is not repeated", "i=ann@bank.example; ", ""},
		{"nor one that only ends alike", "i=ann@evilsender.example; ", ""},
		{"nor the domain above", "i=ann@example; ", ""},
		{"nor none", "i=; ", ""},
	} {
		s := one(t, z, tags(c.tags))
		if s.Identity != c.identity || (s.Result == authres.Pass) != (c.identity != "") {
			t.Errorf("%s: %q, %s %q", c.rule, s.Identity, s.Result, s.Reason)
		}
	}
	for _, c := range []struct {
		rule, tags      string
		signed, expires int64
	}{
		{"both", "t=1700000000; x=99999999999; ", 1700000000, 99999999999},
		{"none", "", 0, 0},
		{"expired", "t=1000; x=2000; ", 1000, 2000},
		{"malformed", "t=soon; x=-5; ", 0, 0},
		{"beyond four digits of a year", "x=99999999999999999; ", 0, 253402300799},
	} {
		s := one(t, z, tags(c.tags))
		got := func(at time.Time) int64 {
			if at.IsZero() {
				return 0
			}
			return at.Unix()
		}
		if got(s.Signed) != c.signed || got(s.Expires) != c.expires {
			t.Errorf("%s: %v to %v", c.rule, s.Signed, s.Expires)
		}
		if _, err := s.Expires.MarshalJSON(); err != nil {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
}

func TestOversigned(t *testing.T) {
	z := zone(t)
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("x-%04d", 999-i))
	}
	for _, c := range []struct {
		rule, names string
		want        []string
	}{
		{"each as often as it stands there", "From", nil},
		{"once more, in any case, and what isn't there", "From:FROM:To:to:Subject", []string{"from", "subject", "to"}},
		{"what is no name is not shown", "From:a b:\x01:\xc3\xbc:" + strings.Repeat("y", 65) + "::X", []string{"ab", "x"}},
		{"thirty-two at most", "From:" + strings.Join(many, ":"), nil},
	} {
		s := one(t, z, retag(t, func(tags string) string { return strings.Replace(tags, "h=From", "h="+c.names, 1) }, edKey()))
		if len(s.Oversigned) == 32 && strings.HasPrefix(c.rule, "thirty") && s.Oversigned[0] == "x-0000" && s.Oversigned[31] == "x-0031" {
			continue
		}
		if s.Result != authres.Pass || !slices.Equal(s.Oversigned, c.want) {
			t.Errorf("%s: %+v", c.rule, s)
		}
	}
	// A field that is added afterwards takes the place that was kept free for it.
	message := retag(t, func(tags string) string { return strings.Replace(tags, "h=From", "h=From:From:Subject", 1) }, edKey())
	for _, added := range []string{"From: b@bank.example\r\n", "Subject: x\r\n"} {
		if s := one(t, z, strings.Replace(message, "From: a@", added+"From: a@", 1)); s.Result != authres.Fail {
			t.Errorf("%q added: %+v", added, s)
		}
	}
}

func TestUnsigned(t *testing.T) {
	message := retag(t, func(tags string) string { return "l=3; " + tags }, edKey())
	for more, want := range map[string]int64{"": 0, "more\r\n": 6, "\r\n\r\n": 0, "m": 3} {
		if s := one(t, zone(t), message+more); s.Unsigned != want || (s.Result == authres.Pass) != (want == 0) {
			t.Errorf("%q: %+v", more, s)
		}
	}
	if s := one(t, zone(t), strings.Replace(message, "\r\n\r\nx", "\r\n\r\nyyyyy", 1)); s.Result != authres.Fail || s.Unsigned != 4 {
		t.Errorf("changed as well: %+v", s)
	}
}

func TestTheKeysSizeIsReportedWhateverTheResult(t *testing.T) {
	plainly := func(s string) string { return s }
	if s := one(t, zone(t), retag(t, plainly, edKey())); s.KeyBits != 256 {
		t.Errorf("%+v", s)
	}
	message := retag(t, plainly, rsaKey())
	for record, want := range map[string]int{
		keyRecord(rsaKey()):                 2048,
		keyRecord(rsaKey()) + "; h=sha1":    2048,
		keyRecord(edKey()):                  256,
		keyRecord(rsaKey()) + "; v=DKIM9":   0,
		"v=DKIM1; p=":                       0,
		"v=DKIM1; k=ed25519; p=AAAA":        0,
		"v=DKIM1; k=rsa; p=AAAA; t=y":       0,
		keyRecord(newRSA(1024)()) + "; t=y": 1024,
	} {
		z, err := dns.ParseZone(txt("rsa._domainkey.sender.example", record))
		if err != nil {
			t.Fatal(err)
		}
		if s := one(t, z, message); s.KeyBits != want {
			t.Errorf("%s: %+v", record, s)
		}
	}
	if s := one(t, zone(t), strings.Replace(message, "\r\n\r\nx", "\r\n\r\ny", 1)); s.KeyBits != 2048 || s.Result != authres.Fail {
		t.Errorf("changed: %+v", s)
	}
}
