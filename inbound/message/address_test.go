package message

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseAddresses(t *testing.T) {
	for _, c := range []struct {
		rule, in string
		want     []Address
		ok       bool
	}{
		{"an addr-spec", "a@b.example", []Address{{"", "a@b.example"}}, true},
		{"a name and an address in brackets", "Ann B <a@b.example>", []Address{{"Ann B", "a@b.example"}}, true},
		{"quotes are not of the name", `"Doe, \"J\"" <a@b.example>`, []Address{{`Doe, "J"`, "a@b.example"}}, true},
		{"a comment is a name of last resort", "a@b.example (Ann (the first))", []Address{{"Ann (the first)", "a@b.example"}}, true},
		{"several", "a@b.example, Bob <b@b.example>,,c@b.example", []Address{{"", "a@b.example"}, {"Bob", "b@b.example"}, {"", "c@b.example"}}, true},
		{"a group is flattened", "Team: a@b.example, B <b@b.example>; c@b.example", []Address{{"", "a@b.example"}, {"B", "b@b.example"}, {"", "c@b.example"}}, true},
		{"an empty group", "undisclosed-recipients:;", nil, true},
		{"encoded words in a name", "=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M?= <a@b.example>", []Address{{"Jörg M", "a@b.example"}}, true},
		{"encoded words within quotes", `"=?utf-8?q?J=C3=B6rg?=" <a@b.example>`, []Address{{"Jörg", "a@b.example"}}, true},
		{"an encoded word cannot make an address", "=?utf-8?q?x_=3Cevil=40e.example=3E,?= <a@b.example>", []Address{{"x <evil@e.example>,", "a@b.example"}}, true},
		{"a quoted local part keeps its quotes", `"j d"@b.example, <"x y"@b.example>`, []Address{{"", `"j d"@b.example`}, {"", `"x y"@b.example`}}, true},
		{"a source route is dropped", "<@r.example,@s.example:a@b.example>", []Address{{"", "a@b.example"}}, true},
		{"a domain literal", "a@[192.0.2.1], b@[IPv6:2001:db8::1]", []Address{{"", "a@[192.0.2.1]"}, {"", "b@[IPv6:2001:db8::1]"}}, true},
		{"internationalized domains stay as written", "a@bücher.example, b@xn--bcher-kva.example", []Address{{"", "a@bücher.example"}, {"", "b@xn--bcher-kva.example"}}, true},
		{"folded", "Ann\r\n <a@b.example>,\r\n\tb@b.example", []Address{{"Ann", "a@b.example"}, {"", "b@b.example"}}, true},
		{"blanks around the at sign", "a @ b.example", []Address{{"", "a@b.example"}}, true},
		{"the name looks like another address", `"boss@bank.example" <a@b.example>`, []Address{{"boss@bank.example", "a@b.example"}}, true},
		{"no brackets around the address", "Ann B a@b.example", []Address{{"Ann B", "a@b.example"}}, false},
		{"no comma between addresses", "a@b.example b@b.example", []Address{{"", "a@b.example"}, {"", "b@b.example"}}, true},
		{"semicolons as Outlook writes them", "a@b.example; B <b@b.example>", []Address{{"", "a@b.example"}, {"B", "b@b.example"}}, false},
		{"no closing bracket", "Ann <a@b.example, Bob <b@b.example>", []Address{{"Ann", "a@b.example"}, {"Bob", "b@b.example"}}, false},
		{"two opening brackets", "Ann <<a@b.example>>", []Address{{"Ann", "a@b.example"}}, false},
		{"no comma after brackets", "<a@b.example> <b@b.example>", []Address{{"", "a@b.example"}, {"", "b@b.example"}}, false},
		{"an open quote", `"Ann <a@b.example>`, []Address{{"Ann", "a@b.example"}}, false},
		{"an open comment", "(x <a@b.example>, b@b.example", []Address{{"x", "a@b.example"}, {"", "b@b.example"}}, false},
		{"mailto", "<mailto:a@b.example>", []Address{{"", "a@b.example"}}, true},
		{"a word without a domain", "MAILER-DAEMON", []Address{{"", "MAILER-DAEMON"}}, false},
		{"a name without an address", "Ann Example", []Address{{"Ann Example", ""}}, false},
		{"nothing in the brackets", "Ann <>", []Address{{"Ann", ""}}, true},
		{"the null path is no address", "<>", nil, true},
		{"nothing", " ,; ", nil, false},
		{"a whole address in an encoded word is text", "=?utf-8?q?ceo=40good=2Eexample?=", []Address{{"ceo@good.example", ""}}, false},
		{"a whole address in an encoded word with an at sign is text", "=?utf-8?q?ceo@good.example?=", []Address{{"ceo@good.example", ""}}, false},
		{"a whole address in quotes is text", `"ceo@good.example"`, []Address{{"ceo@good.example", ""}}, false},
		{"an encoded word in brackets stays as written", "<=?utf-8?q?ceo=40good=2Eexample?=>", []Address{{"", "=?utf-8?q?ceo=40good=2Eexample?="}}, false},
		{"a comment behind the at sign", "m@(good.example)evil.example", []Address{{"", "m@evil.example"}}, true},
		{"a comment behind the at sign, in brackets", "Ann <m@(good.example)evil.example>", []Address{{"Ann", "m@evil.example"}}, true},
		{"comments and blanks around the at sign", "m (a) (b\\)) @ (c(d)) evil.example (Ann)", []Address{{"Ann", "m@evil.example"}}, true},
		{"comments beside dots", "m(a).n@evil(b).example.(c)org", []Address{{"", "m.n@evil.example.org"}}, true},
		{"comments in brackets", "<(a) m . n (b) @ evil.example(c)>", []Address{{"", "m.n@evil.example"}}, true},
		{"a comment beside a quoted local part", `"j (x) d"(y)@b.example, <"j (x) d"(y)@b.example>`, []Address{{"", `"j (x) d"@b.example`}, {"", `"j (x) d"@b.example`}}, true},
		{"a comment that joins nothing", "Ann (x) B <a@b.example>, a@b.example (x), (y) c@b.example", []Address{{"Ann B", "a@b.example"}, {"x", "a@b.example"}, {"y", "c@b.example"}}, true},
		{"a comment that is not closed behind the at sign", "m@(good.example", []Address{{"", "m@"}}, false},
		{"an open comment before one behind the at sign", "(x m@(good.example", []Address{{"x", "m@"}}, false},
		{"a closed comment before one that is open", "a@b.example (Ann) (x", []Address{{"Ann", "a@b.example"}}, false},
		{"two at signs", "ceo@good.example@evil.example", []Address{{"", "ceo@good.example@evil.example"}}, false},
		{"two at signs in brackets", "Ann <ceo@good.example@evil.example>", []Address{{"Ann", "ceo@good.example@evil.example"}}, false},
		{"a slash in the domain", "a@x/b@y, a@x/b", []Address{{"", "a@x/b@y"}, {"", "a@x/b"}}, false},
		{"nothing before the at sign", "<@b.example>", []Address{{"", "@b.example"}}, false},
		{"nothing behind the at sign", "a@", []Address{{"", "a@"}}, false},
		{"an empty label", "a@b..example", []Address{{"", "a@b..example"}}, false},
		{"an empty word in the local part", "a..b@b.example", []Address{{"", "a..b@b.example"}}, false},
		{"a blank in the address", "<a b@b.example>", []Address{{"", "a b@b.example"}}, false},
		{"no at sign in brackets", "<root>", []Address{{"", "root"}}, false},
	} {
		got, ok := ParseAddresses(c.in)
		if !reflect.DeepEqual(got, c.want) || ok != c.ok {
			t.Errorf("%s: %q gives %q, %v; want %q, %v", c.rule, c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestAddressesTakeLinearTime(t *testing.T) {
	for _, s := range []string{"x(a)", "x        (", "x (a)(b", "m@(", "(x m@(y", "m@ (a) ", `"x"(`, "<a(", "<a@b(c)> "} {
		began := cpuTime(t)
		ParseAddresses(strings.Repeat(s, (1<<18)/len(s)))
		if took := cpuTime(t) - began; took > 2*time.Second {
			t.Errorf("%q over and over takes %v", s, took)
		}
	}
}
