package inbound_test

import (
	"errors"
	"strings"
	"testing"

	"mxhook/inbound"
)

func TestParsePath(t *testing.T) {
	long := strings.Repeat("a", 255)
	for _, c := range []struct {
		name, in string
		utf8     bool
		want     inbound.Path
		err      error
	}{
		{"null reverse-path", "", false, inbound.Path{}, nil},
		{"mailbox", "ann@sender.example", false, inbound.Path{LocalPart: "ann", Domain: "sender.example"}, nil},
		{"case is kept", "Ann@Sender.Example", false, inbound.Path{LocalPart: "Ann", Domain: "Sender.Example"}, nil},
		{"bare postmaster in any case", "PostMaster", false, inbound.Path{LocalPart: "PostMaster"}, nil},
		{"only ASCII spells postmaster", "poſtmaster", true, inbound.Path{}, inbound.ErrPathSyntax},
		{"quotes are taken off", `"a b\"c"@x.test`, false, inbound.Path{LocalPart: `a b"c`, Domain: "x.test"}, nil},
		{"an @ in quotes", `"a@b"@x.test`, false, inbound.Path{LocalPart: "a@b", Domain: "x.test"}, nil},
		{"a source route is dropped", "@one.test,@two.test:a@x.test", false, inbound.Path{LocalPart: "a", Domain: "x.test"}, nil},
		{"IPv4 literal", "a@[192.0.2.1]", false, inbound.Path{LocalPart: "a", Domain: "[192.0.2.1]"}, nil},
		{"IPv6 literal", "a@[IPv6:2001:db8::1]", false, inbound.Path{LocalPart: "a", Domain: "[IPv6:2001:db8::1]"}, nil},
		{"dots that real mailboxes have", ".a..b.@x.test", false, inbound.Path{LocalPart: ".a..b.", Domain: "x.test"}, nil},
		{"underscore in a domain", "a@x_y.test", false, inbound.Path{LocalPart: "a", Domain: "x_y.test"}, nil},
		{"trailing dot of a domain", "a@x.test.", false, inbound.Path{LocalPart: "a", Domain: "x.test."}, nil},
		{"the longest local part", long + "@x.test", false, inbound.Path{LocalPart: long, Domain: "x.test"}, nil},
		{"beyond ASCII with SMTPUTF8", "jörg@müller.test", true, inbound.Path{LocalPart: "jörg", Domain: "müller.test"}, nil},
		{"beyond ASCII without SMTPUTF8", "jörg@x.test", false, inbound.Path{}, inbound.ErrPathUTF8},
		{"a domain beyond ASCII without SMTPUTF8", "a@müller.test", false, inbound.Path{}, inbound.ErrPathUTF8},
		{"no UTF-8 without SMTPUTF8", "j\xf6rg@x.test", false, inbound.Path{}, inbound.ErrPathUTF8},
		{"no UTF-8 with SMTPUTF8", "j\xf6rg@x.test", true, inbound.Path{}, inbound.ErrPathSyntax},
		{"a local part that is too long", long + "a@x.test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"a path that is too long", "a@" + strings.Repeat("x.", 260) + "test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"no domain", "ann", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"empty domain", "ann@", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"empty local part", "@x.test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"empty quoted local part", `""@x.test`, false, inbound.Path{}, inbound.ErrPathSyntax},
		{"two @", "a@b@x.test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"blank", "a b@x.test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"NUL in quotes", "\"a\x00b\"@x.test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"escaped CR in quotes", "\"a\\\rb\"@x.test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"quotes that don't close", `"a@x.test`, false, inbound.Path{}, inbound.ErrPathSyntax},
		{"text after the quotes", `"a"b@x.test`, false, inbound.Path{}, inbound.ErrPathSyntax},
		{"backslash outside quotes", `a\b@x.test`, false, inbound.Path{}, inbound.ErrPathSyntax},
		{"empty label", "a@x..test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"label with a hyphen first", "a@-x.test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"a control character in the domain", "a@x\x1b.test", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"a literal that is no address", "a@[300.0.0.1]", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"a literal with a zone", "a@[IPv6:fe80::1%eth0]", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"a literal that doesn't close", "a@[192.0.2.1", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"a route without a mailbox", "@one.test:", false, inbound.Path{}, inbound.ErrPathSyntax},
		{"a route without a colon", "@one.test", false, inbound.Path{}, inbound.ErrPathSyntax},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := inbound.ParsePath(c.in, c.utf8)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("ParsePath(%q) = %+v, %v, want %+v, %v", c.in, got, err, c.want, c.err)
			}
		})
	}
}

func TestPathIsWrittenAsItMustBe(t *testing.T) {
	for want, p := range map[string]inbound.Path{
		"":                    {},
		"a.b@x.test":          {LocalPart: "a.b", Domain: "x.test"},
		`"a b"@x.test`:        {LocalPart: "a b", Domain: "x.test"},
		`"a\"\\b"@x.test`:     {LocalPart: `a"\b`, Domain: "x.test"},
		"postmaster":          {LocalPart: "postmaster"},
		"jörg@[IPv6:2001::1]": {LocalPart: "jörg", Domain: "[IPv6:2001::1]"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v is written %q, want %q", p, got, want)
		}
	}
}

// FuzzParsePath checks that a Path survives being written and read again, and holds
// nothing that could break out of a command or a log line.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"", "a@b", `"a\"@b"@c.test`, "@x:y@z", "a@[IPv6:::1]", "postmaster", "é@ü", "\"\\\\\"@x"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, utf8 bool) {
		p, err := inbound.ParsePath(s, utf8)
		if err != nil {
			if !p.IsNull() {
				t.Fatalf("%q: %v with %+v", s, err, p)
			}
			return
		}
		written := p.String()
		if again, err := inbound.ParsePath(written, utf8); err != nil || again != p {
			t.Fatalf("%q: %+v is written %q and read %+v, %v", s, p, written, again, err)
		}
		for _, c := range []byte(written) {
			if c < ' ' || c == 0x7f || !utf8 && c >= 0x80 {
				t.Fatalf("%q: %q holds %#x", s, written, c)
			}
		}
		if p.IsNull() != (s == "") || p.Domain == "" && p.LocalPart != "" && !strings.EqualFold(p.LocalPart, "postmaster") {
			t.Fatalf("%q: %+v", s, p)
		}
	})
}
