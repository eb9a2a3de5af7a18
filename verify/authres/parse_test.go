package authres_test

import (
	"fmt"
	"strings"
	"testing"

	"mxhook/verify/authres"
)

func TestParse(t *testing.T) {
	for body, want := range map[string]string{
		"mx.in.example; none":                               "mx.in.example",
		"mx.in.example 1; none":                             "mx.in.example",
		"mx.in.example":                                     "mx.in.example",
		"mx; spf=pass smtp.mailfrom=a@b.example;":           "mx|spf=pass smtp.mailfrom=a@b.example",
		"(c) mx (d) 1 ; SPF = Pass (e) Smtp . MailFrom = b": "mx|spf=pass smtp.mailfrom=b",
		"mx;\r\n\tdkim=fail reason=\"a; b\" header.d=x":     "mx|dkim=fail reason=a; b header.d=x",
		`mx; spf=pass smtp.mailfrom="a b"@c`:                "mx|spf=pass smtp.mailfrom=a b@c",
		"mx; dmarc/1=pass action=none header.from=x":        "mx|dmarc=pass .action=none header.from=x",
		"mx; dkim=pass header.b=a/b+c=; dkim=none":          "mx|dkim=pass header.b=a/b+c=|dkim=none",
		`"mx"; iprev=pass policy.iprev="2001:db8::1"`:       "mx|iprev=pass policy.iprev=2001:db8::1",
	} {
		id, statements, ok := authres.Parse(body)
		got := id
		for _, s := range statements {
			got += fmt.Sprintf("|%s=%s", s.Method, s.Result)
			if s.Reason != "" {
				got += " reason=" + s.Reason
			}
			for _, p := range s.Properties {
				got += fmt.Sprintf(" %s.%s=%s", p.Type, p.Name, p.Value)
			}
		}
		if !ok || got != want {
			t.Errorf("%q: %v %q, want %q", body, ok, got, want)
		}
	}
}

func TestWhatMayBeReadInTwoWaysIsNotRead(t *testing.T) {
	for _, body := range []string{
		"", ";", "; spf=pass", "mx spf=pass", "mx; spf", "mx; spf=", "mx; =pass", "mx; spf=pass x", "mx; spf=pass x.y", "mx; spf=pass x.y=",
		"mx; spf=pass.y=z", "spf=pass; dkim=pass", "mx; spf=pass (", "mx (; spf=pass", "mx; spf=pass x.y=\"z", "mx; spf=pass x.y=z)",
		"mx; spf=pass x.y=a\\b", "mx; spf=pass\x00", "mx; spf=pass x.y=\xff", "mx; spf=pass x.y=z, dkim=pass", "mx; none x",
		"mx 1 2; spf=pass", "mx" + strings.Repeat("; spf=pass", 101), "mx; spf/=pass",
	} {
		if id, statements, ok := authres.Parse(body); ok {
			t.Errorf("%q: %q %+v", body, id, statements)
		}
	}
}

func TestCutInstance(t *testing.T) {
	for body, want := range map[string]int{
		" i=1; mx; none": 1, "i=50; mx": 50, " (c) I (d) = (e) 07 (f) ;": 7, "i=0; mx": 0,
		"": -1, "mx; none": -1, "i=1": -1, "i=1 mx; none": -1, "i=100; mx": -1, "i=; mx": -1, "i=-1; mx": -1, "i=1 (;": -1, "j=1; mx": -1, "i=1=; mx": -1,
	} {
		n, _, ok := authres.CutInstance(body)
		if !ok {
			n = -1
		}
		if n != want {
			t.Errorf("%q: %d, want %d", body, n, want)
		}
	}
}

// FuzzParse: what is read can be written and read again and says the same.
func FuzzParse(f *testing.F) {
	f.Add("mx.in.example 1; spf=pass (c) smtp.mailfrom=\"a b\"@c; dmarc=pass action=none header.from=x; none")
	f.Add("mx; dkim=pass reason=\"x\" header.b=a/b=")
	f.Fuzz(func(t *testing.T, body string) {
		id, statements, ok := authres.Parse(body)
		if !ok {
			return
		}
		for _, s := range statements {
			if s.Method == "" || s.Result == "" {
				t.Fatalf("%q: %+v", body, s)
			}
			for _, p := range s.Properties {
				if p.Name == "" || p.Value == "" || strings.ContainsAny(p.Type+p.Name, " .;=\"()\r\n") {
					t.Fatalf("%q: %+v", body, p)
				}
			}
		}
		if len(id) > 500 {
			return // beyond what is written
		}
		if _, again, ok := authres.Parse(authres.Header("mx", statements)); len(statements) > 0 && (!ok || len(again) != len(statements)) {
			for _, s := range statements {
				for _, p := range s.Properties {
					if p.Type == "" || len(p.Value) > 500 {
						return // written as the standard wants it, hence not the same
					}
				}
			}
			t.Errorf("%q: %+v, again %+v", body, statements, again)
		}
	})
}
