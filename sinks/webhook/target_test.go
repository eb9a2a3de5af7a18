package webhook

import (
	"net/url"
	"strings"
	"testing"
)

func TestCapturesStayInTheirPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url, a, want string }{
		{"plain", "https://app.example/mail/{a}", "42", "https://app.example/mail/42"},
		{"a slash is no new segment", "https://app.example/mail/{a}", "x/../../admin", "https://app.example/mail/x%2F..%2F..%2Fadmin"},
		{"a question mark begins no query", "https://app.example/mail/{a}", "x?admin=1", "https://app.example/mail/x%3Fadmin=1"},
		{"a number sign begins no fragment", "https://app.example/{a}/x", "#", "https://app.example/%23/x"},
		{"a percent sign is data", "https://app.example/{a}", "%2e%2e", "https://app.example/%252e%252e"},
		{"an ampersand begins no parameter", "https://app.example/?t={a}&b=1", "x&b=2", "https://app.example/?t=x%26b%3D2&b=1"},
		{"a plus is data, a blank is no plus", "https://app.example/?t={a}", "a+b c", "https://app.example/?t=a%2Bb%20c"},
		{"UTF-8", "https://app.example/{a}", "é", "https://app.example/%C3%A9"},
		{"line ends", "https://app.example/{a}", "a\r\nHost: evil", "https://app.example/a%0D%0AHost:%20evil"},
		{"a backslash", "https://app.example/{a}", `\\evil`, "https://app.example/%5C%5Cevil"},
		{"an at sign right after the host", "https://app.example/{a}", "@evil.example/", "https://app.example/@evil.example%2F"},
		{"twice", "https://app.example/{a}?q={a}", "1", "https://app.example/1?q=1"},
		{"user and port", "https://u:p@app.example:8443/{a}", "1", "https://u:p@app.example:8443/1"},
		{"query without path", "https://app.example?t={a}", "1", "https://app.example?t=1"},
		{"dots within", "https://app.example/v.{a}", "..", "https://app.example/v..."},
		{"dots of the template are the operator's", "https://app.example/x/../{a}", "1", "https://app.example/x/../1"},
		{"no escape of a capture made of dots", "https://app.example/mail/{a}", "..", ""},
		{"one dot", "https://app.example/mail/{a}/x", ".", ""},
		{"two captures make no dots", "https://app.example/mail/{a}{a}", ".", ""},
		{"nor with a dot of the template", "https://app.example/mail/.{a}", ".", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tgt, err := parseTarget(c.url)
			if err != nil {
				t.Fatal(err)
			}
			u, err := tgt.expand(map[string]string{"a": c.a})
			switch {
			case c.want == "" && err == nil:
				t.Errorf("became %v", u)
			case c.want != "" && (err != nil || u.String() != c.want):
				t.Errorf("%v, %v, want %s", u, err, c.want)
			}
		})
	}
}

func TestFaultyURLs(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"no scheme": "app.example/x", "another scheme": "ftp://app.example/", "no host": "https:///x", "capture in the host": "https://{a}.example/",
		"capture in the port": "https://app.example:{a}/", "capture in the user": "https://{a}@app.example/", "capture as the scheme": "{a}://app.example/",
		"capture in the fragment": "https://app.example/#{a}", "open brace": "https://app.example/{a", "closing brace": "https://app.example/a}",
		"empty name": "https://app.example/{}", "name with a blank": "https://app.example/{a b}", "control character": "https://app.example/\x00",
		"port that is none": "https://user:s3cret@app.example:99x/", "bad escape": "https://app.example/%zz",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseTarget(raw)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "app.example") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the URL: %v", err)
			}
		})
	}
}

func TestAMissingCaptureIsAnError(t *testing.T) {
	t.Parallel()
	tgt, err := parseTarget("https://app.example/{a}/{b}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tgt.expand(map[string]string{"a": "1"}); err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("%v", err)
	}
}

// FuzzCaptures: whatever a sender writes into a capture, the request goes to the
// same place with the same number of segments and parameters, none of them dots.
func FuzzCaptures(f *testing.F) {
	for _, s := range []string{"42", "../..", "%2e%2e%2f", "@evil", "//evil", "?x=1#y", "\r\n", "\x00", "a b+c", "é", `\`, ";", "{a}", "[::1]"} {
		f.Add(s, s)
	}
	tgt, err := parseTarget("https://u:p@app.example:8443/mail/{a}/x/{b}-y?t={a}&u={b}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		u, err := tgt.expand(map[string]string{"a": a, "b": b})
		if err != nil {
			return
		}
		if u.Scheme != "https" || u.Host != "app.example:8443" || u.User.String() != "u:p" || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("%q, %q: %v", a, b, u)
		}
		segments := strings.Split(u.EscapedPath(), "/")
		if len(segments) != 5 || segments[1] != "mail" || segments[3] != "x" {
			t.Fatalf("%q, %q: %v", a, b, u)
		}
		for _, s := range segments {
			if d, err := url.PathUnescape(s); err != nil || d == "." || d == ".." {
				t.Fatalf("%q, %q: %v", a, b, u)
			}
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil || len(q) != 2 || q.Get("t") != a || q.Get("u") != b {
			t.Fatalf("%q, %q: %v: %v %v", a, b, u, q, err)
		}
		if s := u.RequestURI(); strings.ContainsAny(s, " \r\n\x00") {
			t.Fatalf("%q", s)
		}
	})
}
