package verify

import (
	"strings"
	"testing"

	"mxhook/verify/dkim"
)

// TestALineThatMayBeginTheBodyHasNoAuthor: where readers differ about the end of the
// header section, they differ about the text that a signature proves.
func TestALineThatMayBeginTheBodyHasNoAuthor(t *testing.T) {
	const from = "From: ann@a.example\r\n"
	for _, c := range []struct {
		rule, header string
		clear        bool
	}{
		{"no such line", "To: x\r\n" + from, true},
		{"one line before the first field", "Pay now\r\n" + from, true},
		{"one line between fields", from + "Pay now\r\nTo: x\r\n", true},
		{"two, each between fields", "a\r\nTo: x\r\nb\r\n" + from, true},
		{"an mbox line", "From ann Sun\r\n" + from, true},
		{"a line and a fold", "Pay now\r\n please\r\n" + from, false},
		{"folds before the first field", " Pay\r\n now\r\n" + from, false},
		{"two lines", "Pay\r\nnow\r\n" + from, false},
		{"two lines after a field", "To: x\r\nPay\r\nnow\r\n" + from, false},
		{"the last line", from + "Pay now\r\n", false},
		{"a colon after a fold", "Pay\r\n : now\r\n" + from, false},
		{"a line of a CR", "To: x\r\n\r\r\n" + from, false},
		{"a delimiter", "To: x\r\n--b\r\n" + from, false},
		{"names with control characters", "Pa\x00y: x\r\nn\x01ow: y\r\n" + from, false},
		{"8-bit names", "P\u00e4y: x\r\n now\r\n" + from, false},
		{"no name", ": x\r\n y\r\n" + from, false},
	} {
		header, _, err := dkim.ReadHeader(strings.NewReader(c.header+"\r\n"), int64(len(c.header)+2))
		if err != nil {
			t.Fatal(err)
		}
		if domain, problem := author(header); (domain == "a.example") != c.clear || (problem == "") != c.clear {
			t.Errorf("%s: %q, %q", c.rule, domain, problem)
		}
	}
}

func TestAuthor(t *testing.T) {
	for _, c := range []struct {
		rule, header, domain, problem string
	}{
		{"a name and an address", "From: Ann <ann@a.example>\r\n", "a.example", ""},
		{"an address alone", "From: ann@a.example\r\n", "a.example", ""},
		{"a comment behind it", "From: ann@a.example (Ann)\r\n", "a.example", ""},
		{"an address in the name", "From: \"ann@bank.example\" <ann@a.example>\r\n", "a.example", ""},
		{"an unquoted address of another domain in the name", "From: ann@bank.example <ann@a.example>\r\n", "", "the From field is malformed"},
		{"one between words", "From: Ann at ann@bank.example, really <ann@a.example>\r\n", "", "the From field is malformed"},
		{"one beside a quoted word", "From: \"Ann\"ann@bank.example <ann@a.example>\r\n", "", "the From field is malformed"},
		{"its own address in the name", "From: ann@A.example <ann@a.example>\r\n", "a.example", ""},
		{"another address of the domain in the name", "From: 'bob@a.example' via Ann <ann@a.example>\r\n", "a.example", ""},
		{"a domain with a no-break space", "From: <ann@a\u00a0.example>\r\n", "", "the From field's domain is no domain name"},
		{"a domain with an ideographic space", "From: <ann@a.example\u3000>\r\n", "", "the From field's domain is no domain name"},
		{"a domain with a line separator", "From: <ann@a\u2028.example>\r\n", "", "the From field's domain is no domain name"},
		{"full-width letters are those letters", "From: <ann@\uff41.example>\r\n", "a.example", ""},
		{"an ideographic full stop is a dot", "From: <ann@b\u3002example>\r\n", "b.example", ""},
		{"A-labels", "From: <ann@XN--Bcher-Kva.example>\r\n", "xn--bcher-kva.example", ""},
		{"a domain that is no UTF-8", "From: <ann@a\xff.example>\r\n", "", "the From field's domain is no domain name"},
		{"a domain with an exclamation mark", "From: <ann@a!b.example>\r\n", "", "the From field's domain is no domain name"},
		{"a final dot", "From: <ann@a.example.>\r\n", "a.example", ""},
		{"a label of 64 octets", "From: <ann@" + strings.Repeat("a", 64) + ".example>\r\n", "", "the From field's domain is no domain name"},
		{"a name of 254 octets", "From: <ann@" + strings.Repeat("a.", 123) + "example1>\r\n", "", "the From field's domain is no domain name"},
		{"an empty group", "From: undisclosed:;\r\n", "", "the From field is malformed"},
		{"a group among others", "From: ann@a.example, friends: bob@b.example;\r\n", "", "the From field is malformed"},
		{"an address in a comment", "From: (ann@bank.example) ann@a.example\r\n", "a.example", ""},
		{"a comma in a quoted name", "From: \"Ann, the First\" <ann@a.example>\r\n", "a.example", ""},
		{"an @ in a quoted local part", "From: <\"x@bank.example\"@a.example>\r\n", "a.example", ""},
		{"a > in a quoted local part", "From: <\"x>@bank.example\"@a.example>\r\n", "a.example", ""},
		{"folded", "From: Ann\r\n\t<ann@a.example>\r\n", "a.example", ""},
		{"other case, blank before the colon", "FROM : <ann@A.Example>\r\n", "a.example", ""},
		{"encoded words and other charsets", "From: =?utf-8?q?J=C3=BCrgen?= J\xfcrgen <ann@a.example>\r\n", "a.example", ""},
		{"U-labels", "From: <ann@bücher.example>\r\n", "xn--bcher-kva.example", ""},
		{"an empty place in the list", "From: , ann@a.example,\r\n", "a.example", ""},
		{"two authors", "From: ann@a.example, bob@a.example\r\n", "", "more than one author"},
		{"two fields", "From: ann@a.example\r\nfrom: bob@b.example\r\n", "", "more than one From field"},
		{"none", "To: ann@a.example\r\n", "", "no From field"},
		{"an empty one", "From: \r\n", "", "the From field has no address"},
		{"a name alone", "From: Ann\r\n", "", "the From field has no address"},
		{"no address in <>", "From: Ann <>\r\n", "", "the From field has no address"},
		{"no domain", "From: <ann@>\r\n", "", "the From field's domain is no domain name"},
		{"no local part", "From: <@a.example>\r\n", "", "the From field has no address"},
		{"two @", "From: <ann@a.example@b.example>\r\n", "", "the From field has no address"},
		{"a route", "From: <@b.example:ann@a.example>\r\n", "", "the From field has no address"},
		{"two <>", "From: <ann@a.example> <bob@b.example>\r\n", "", "the From field is malformed"},
		{"text behind <>", "From: <ann@a.example> bob@b.example\r\n", "", "the From field is malformed"},
		{"a nested <", "From: <<ann@a.example>\r\n", "", "the From field is malformed"},
		{"a <> that does not end", "From: <ann@a.example\r\n", "", "the From field is malformed"},
		{"a quote that does not end", "From: \"Ann <ann@a.example>\r\n", "", "the From field is malformed"},
		{"a comment that does not end", "From: (Ann <ann@a.example>\r\n", "", "the From field is malformed"},
		{"two addresses side by side", "From: ann@a.example bob@b.example\r\n", "", "the From field is malformed"},
		{"a group", "From: friends: ann@a.example;\r\n", "", "the From field is malformed"},
		{"a NUL", "From: ann@a.example\x00.b.example\r\n", "", "the From field is malformed"},
		{"a NUL in <>", "From: <ann@a.example\x00.b.example>\r\n", "", "the From field has no address"},
		{"a lone CR", "From: ann@a.example\rFrom: bob@b.example\r\n", "", "the From field is malformed"},
		{"an address literal", "From: <ann@[192.0.2.1]>\r\n", "", "the From field's domain is no domain name"},
		{"an empty label", "From: <ann@a..example>\r\n", "", "the From field's domain is no domain name"},
		{"a comment within", "From: <ann@a.example(x)>\r\n", "", "the From field has no address"},
		{"a flood of authors", "From: " + strings.Repeat("a@b.c,", 20_000) + "\r\n", "", "the From field is too long"},
	} {
		r := strings.NewReader(c.header + "\r\n")
		header, _, err := dkim.ReadHeader(r, r.Size())
		if err != nil {
			t.Fatal(err)
		}
		domain, problem := author(header)
		if domain != c.domain || problem != c.problem {
			t.Errorf("%s: %q, %q, want %q, %q", c.rule, domain, problem, c.domain, c.problem)
		}
	}
}

func FuzzAuthor(f *testing.F) {
	f.Add("Ann <ann@a.example>")
	f.Add("\"a\\\"\" (b(c)) <\"d@e\"@f.g>, <h@i>")
	f.Fuzz(func(t *testing.T, value string) {
		domain, problem := author([]dkim.Field{{Name: "From", Raw: "From: " + value + "\r\n"}})
		if (domain == "") == (problem == "") {
			t.Fatalf("%q, %q", domain, problem)
		}
		// The domain stands in the field, unless it was made of U-labels.
		if ascii := strings.ToLower(value); domain != "" && !strings.Contains(domain, "xn--") && !strings.Contains(ascii, "@"+domain) {
			for i := range len(value) {
				if value[i] >= 0x80 {
					return
				}
			}
			t.Fatalf("%q is not in %q", domain, value)
		}
	})
}
