package authres_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	msgauth "github.com/emersion/go-msgauth/authres"

	"mxhook/verify/authres"
)

func TestHeader(t *testing.T) {
	for _, c := range []struct {
		rule string
		s    authres.Statement
		want string
	}{
		{"tokens stand as they are", authres.Statement{Method: authres.MethodSPF, Result: authres.Pass,
			Properties: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: "ann@sender.example"}}},
			`mx; spf=pass smtp.mailfrom=ann@sender.example`},
		{"an address for an iprev is quoted where it has colons", authres.Statement{Method: authres.MethodIPRev, Result: authres.Fail,
			Properties: []authres.Property{{Type: "policy", Name: "iprev", Value: "2001:db8::1"}}},
			`mx; iprev=fail policy.iprev="2001:db8::1"`},
		{"what a reader could split at is no part of a value", authres.Statement{Method: authres.MethodSPF, Result: authres.None,
			Properties: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: `"a b"@c.example`}}},
			`mx; spf=none smtp.mailfrom=?a?b?@c.example`},
		{"a value claims no result", authres.Statement{Method: authres.MethodSPF, Result: authres.Pass,
			Properties: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: "DMARC=pass@evil.example"}, {Type: "smtp", Name: "helo", Value: "x;header.from=bank.example"}}},
			`mx; spf=pass smtp.mailfrom="DMARC:pass@evil.example" smtp.helo="x?header.from:bank.example"`},
		{"rewritten senders stay what they are", authres.Statement{Method: authres.MethodSPF, Result: authres.Pass,
			Properties: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: "SRS0=x/y+z=TT=sender.example=ann@fwd.example"}}},
			`mx; spf=pass smtp.mailfrom=SRS0=x/y+z=TT=sender.example=ann@fwd.example`},
		{"an identity without a local part", authres.Statement{Method: authres.MethodDKIM, Result: authres.Pass,
			Properties: []authres.Property{{Type: "header", Name: "i", Value: "@sender.example"}, {Type: "header", Name: "b", Value: "ab/d+e"}}},
			`mx; dkim=pass header.i=@sender.example header.b="ab/d+e"`},
		{"free text names no result", authres.Statement{Method: authres.MethodARC, Result: authres.Pass, Comment: "dis=none dmarc = pass",
			Reason: "no trusted sealer says dmarc=pass for x; header.from=x; t=y"},
			`mx; arc=pass (dis=none dmarc : pass) reason="no trusted sealer says dmarc:pass for x, header.from:x, t=y"`},
		{"a statement without a method or result is none", authres.Statement{Method: ";", Result: authres.Pass}, `mx; none`},
		{"comment and reason are escaped", authres.Statement{Method: authres.MethodDMARC, Result: authres.TempError,
			Comment: `p=none) (x\`, Reason: `say "no"; dkim=pass`},
			`mx; dmarc=temperror (p=none\) \(x\\) reason="say \"no\", dkim:pass"`},
		{"line ends can't end the field", authres.Statement{Method: authres.MethodDKIM, Result: authres.Pass,
			Properties: []authres.Property{{Type: "header", Name: "d", Value: "a\r\nTo: you"}, {Type: "header", Name: "s", Value: "\x00\x7f\xff"}}},
			`mx; dkim=pass header.d="a??To:?you" header.s="???"`},
		{"properties without a value are left out", authres.Statement{Method: authres.MethodDKIM, Result: authres.None,
			Properties: []authres.Property{{Type: "header", Name: "d", Value: ""}}},
			`mx; dkim=none`},
		{"keywords hold nothing but letters", authres.Statement{Method: "d kim;", Result: "pa\nss",
			Properties: []authres.Property{{Type: "head er", Name: "d=", Value: "x"}}},
			`mx; dkim=pass header.d=x`},
		{"it is ASCII", authres.Statement{Method: authres.MethodDMARC, Result: authres.Fail,
			Properties: []authres.Property{{Type: "header", Name: "from", Value: "bücher.example"}}},
			`mx; dmarc=fail header.from="b?cher.example"`},
	} {
		if got := authres.Header("mx", []authres.Statement{c.s}); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.rule, got, c.want)
		}
	}
	if got := authres.Header("mx.in.example", nil); got != "mx.in.example; none" {
		t.Errorf("nothing to say: %q", got)
	}
	long := authres.Header("mx", []authres.Statement{{Method: "dkim", Result: "pass", Reason: strings.Repeat("é", 10_000)}})
	if len(long) > 600 || !utf8.ValidString(long) {
		t.Errorf("a long reason makes %d bytes", len(long))
	}
}

func TestClaims(t *testing.T) {
	const id = "mx.in.example"
	for _, c := range []struct {
		rule, body string
		want       bool
	}{
		{"plain", "mx.in.example; spf=pass", true},
		{"no results", "mx.in.example; none", true},
		{"the id alone", "mx.in.example", true},
		{"other case", "MX.In.Example; spf=pass", true},
		{"a final dot", "mx.in.example.; spf=pass", true},
		{"a version", "mx.in.example 1; spf=pass", true},
		{"a version in comments", "mx.in.example (a) 1 (b); spf=pass", true},
		{"comments before, nested and escaped", "(a (b \\) mx) c) mx.in.example; spf=pass", true},
		{"folded", "\r\n\tmx.in.example;\r\n spf=pass", true},
		{"quoted", `"mx.in.example"; spf=pass`, true},
		{"quoted with escapes", `"mx\.in.ex\ample"; spf=pass`, true},
		{"an encoded word", "=?utf-8?q?mx=2Ein=2Eexample?=; spf=pass", true},
		{"no semicolon", "mx.in.example spf=pass", true},
		{"a comment that does not end", "(mx.in.example; spf=pass", true},
		{"a quote that does not end", `"mx.in.example; spf=pass`, true},
		{"an empty id first", "; mx.in.example; spf=pass", true},
		{"a NUL within", "mx.in\x00.example; spf=pass", true},
		{"a fold within the id", "mx.in.\r\n example; spf=pass", true},
		{"a soft hyphen within", "mx.in.ex\u00adample; spf=pass", true},
		{"comments within", "mx(x).in(y).example; spf=pass", true},
		{"comments with blanks and semicolons within, a version", "mx (a;b) .in( (c) \\) ).example 1; spf=pass", true},
		{"comments within and an ideographic blank", "mx(x)\u3000.in.example; spf=pass", true},
		{"a no-break space as a Latin-1 octet", "\xa0mx.in.example\xa01; spf=pass", true},
		{"a no-break space in an encoded word", "=?utf-8?q?=C2=A0mx.in.example?=; spf=pass", true},
		{"a word joiner within", "mx.in\u2060.example; spf=pass", true},
		{"a slash behind", "mx.in.example/1; spf=pass", true},
		{"a stranger", "mx.other.example; spf=pass", false},
		{"a stranger that names us", "mx.other.example; spf=pass smtp.mailfrom=mx.in.example", false},
		{"a longer id", "mx.in.example.org; spf=pass", false},
		{"an id that ends in ours", "amx.in.example; spf=pass", false},
		{"a stranger with comments within that names us", "mx(x).other.example; spf=pass smtp.helo=x", false},
		{"a stranger behind a no-break space", "\u00a0mx.other.example\u00a01; spf=pass smtp.helo=mx.in.example", false},
		{"us in a stranger's comment", "mx.other.example (mx.in.example); spf=pass", false},
		{"nothing", "", false},
	} {
		if got := authres.Claims(c.body, id); got != c.want {
			t.Errorf("%s: %v, want %v", c.rule, got, c.want)
		}
	}
	for r := range unicode.MaxRune {
		if !unicode.IsSpace(r) && !unicode.Is(unicode.Z, r) {
			continue
		}
		c := string(r)
		for _, body := range []string{c + id + "; x", id + c + "; x", c + c + id + c + "1" + c + "; x", "mx." + c + "in.example; x", `"` + c + id + `"; x`, c + "(y)" + c + id + "; x"} {
			if !authres.Claims(body, id) {
				t.Errorf("%U: %q does not claim", r, body)
			}
		}
	}
	for _, body := range []string{"mx.bücher.example; x", "mx.xn--bcher-kva.example; x", "MX.BÜCHER.example; x", "(mx.bücher.example; x"} {
		for _, id := range []string{"mx.bücher.example", "mx.xn--bcher-kva.example"} {
			if !authres.Claims(body, id) {
				t.Errorf("%q does not claim %q", body, id)
			}
		}
	}
	var distinct strings.Builder
	for r := rune(0x4e00); r < 0x9000; r++ {
		distinct.WriteString(string(r) + ".")
		distinct.WriteRune(r + 0x100)
	}
	if authres.Claims(strings.Repeat(distinct.String(), 10)+"; x", id) {
		t.Error("a stranger with a long id is ours")
	}
	if authres.Claims("mx; x", "") {
		t.Error("nothing is ours without an id")
	}
}

func FuzzClaims(f *testing.F) {
	f.Add("mx.in.example 1 ; spf=pass", "mx.in.example")
	f.Add("(\\", "a")
	f.Add("\"\\\"(\"; x", "\"(")
	f.Fuzz(func(t *testing.T, body, id string) {
		got := authres.Claims(body, id)
		if again := authres.Claims(" \r\n\t"+body, id); got != again {
			t.Fatalf("a fold before it changes %v to %v", got, again)
		}
		// Another reader's id is ours: then so must we think.
		if theirs, _, err := msgauth.Parse(body); err == nil && plain(id) && strings.EqualFold(theirs, id) && !got {
			t.Fatalf("%q is read as ours elsewhere", body)
		}
		if plain(id) && !authres.Claims(id+"; none", id) {
			t.Fatalf("%q does not claim itself", id)
		}
	})
}

func plain(id string) bool {
	for _, r := range id {
		if r != '.' && r != '-' && (r > 'z' || !unicode.IsLetter(r)) {
			return false
		}
	}
	return strings.Trim(id, ".-") == id && id != ""
}

// FuzzHeader: whatever the values, two readers find just the statements that were
// written: our own, which knows the grammar, and one that splits at each ";" and blank
// without regard to quotes and comments.
func FuzzHeader(f *testing.F) {
	f.Add("mx", "a comment", "a reason", "ann@a.example", "s1")
	f.Add("m x", ")(\\", "\"\r\n", "\x00", "a=b")
	f.Add("mx", "p=none) ; dmarc=pass (", "x\"; dmarc=pass header.from=bank.example; y=\"", "\"x; dmarc=pass header.from=bank.example y\"@evil.example", "s\u00a0dkim=pass")
	f.Add("mx;1", "(", "dmarc \t=pass", "dmarc=pass@evil.example", "header.d=bank.example")
	f.Fuzz(func(t *testing.T, id, comment, reason, v, w string) {
		property := func(ptype, name, value string) authres.Property {
			return authres.Property{Type: ptype, Name: name, Value: value}
		}
		statements := []authres.Statement{
			{Method: authres.MethodSPF, Result: authres.SoftFail, Comment: comment, Reason: reason, Properties: []authres.Property{property("smtp", "mailfrom", v)}},
			{Method: authres.MethodSPF, Result: authres.None, Reason: comment, Properties: []authres.Property{property("smtp", "helo", w)}},
			{Method: authres.MethodDKIM, Result: authres.Fail, Comment: reason, Properties: []authres.Property{property("header", "d", v), property("header", "i", w), property("header", "s", v+w)}},
			{Method: authres.MethodDMARC, Result: authres.TempError, Reason: v, Comment: w, Properties: []authres.Property{property("header", "from", w), property("policy", "dmarc", comment)}},
			{Method: authres.MethodIPRev, Result: authres.PermError, Reason: w, Properties: []authres.Property{property("policy", "iprev", v)}},
		}
		body := authres.Header(id, statements)
		if strings.ContainsFunc(body, unicode.IsControl) || !utf8.ValidString(body) {
			t.Fatalf("%q", body)
		}
		if id == "" || strings.Contains(id, "=") { // no host has such a name
			return
		}
		checkStrict(t, body, id, statements)
		checkSloppy(t, body, statements)
	})
}

// checkStrict reads a field as RFC 8601 has it.
func checkStrict(t *testing.T, body, id string, want []authres.Statement) {
	gotID, got, ok := authres.Parse(body)
	if !ok || len(got) != len(want) || gotID != authres.Value(id) {
		t.Fatalf("%q: %v, %q, %d statements", body, ok, gotID, len(got))
	}
	for i, w := range want {
		g := got[i]
		var properties []authres.Property
		for _, p := range w.Properties {
			if p.Value = authres.Value(p.Value); p.Value != "" {
				properties = append(properties, p)
			}
		}
		if g.Method != w.Method || g.Result != w.Result || !slices.Equal(g.Properties, properties) || (g.Reason == "") != (w.Reason == "") {
			t.Fatalf("%q: %+v, want %+v", body, g, w)
		}
	}
}

// checkSloppy reads it with go-msgauth.
func checkSloppy(t *testing.T, body string, want []authres.Statement) {
	_, got, err := msgauth.Parse(body)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%q: %d results, %v", body, len(got), err)
	}
	value := func(s string) string { return strings.Trim(s, `"`) }
	valueOf := func(i, j int) string { return authres.Value(want[i].Properties[j].Value) }
	for i, g := range got {
		var result msgauth.ResultValue
		var values, wanted []string
		switch g := g.(type) {
		case *msgauth.SPFResult:
			result, values, wanted = g.Value, []string{value(g.From) + value(g.Helo)}, []string{valueOf(i, 0)}
		case *msgauth.DKIMResult:
			result, values, wanted = g.Value, []string{value(g.Domain), value(g.Identifier)}, []string{valueOf(i, 0), valueOf(i, 1)}
		case *msgauth.DMARCResult:
			result, values, wanted = g.Value, []string{value(g.From)}, []string{valueOf(i, 0)}
		case *msgauth.IPRevResult:
			result, values, wanted = g.Value, []string{value(g.IP)}, []string{valueOf(i, 0)}
		default:
			t.Fatalf("%q: %T", body, g)
		}
		if string(result) != string(want[i].Result) || !slices.Equal(values, wanted) {
			t.Fatalf("%q: %d: %s %q, want %s %q", body, i, result, values, want[i].Result, wanted)
		}
	}
}
