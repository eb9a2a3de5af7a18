package dkim

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mxhook/verify/authres"
)

// FuzzTags: what is read of a tag list, written down again, is read alike, and no list
// goes beyond its limits.
func FuzzTags(f *testing.F) {
	for _, s := range []string{"v=1; a=rsa-sha256", "v=1;;", "a = b c \r\n d ; x=", "=", "a=1;a=2", "\xff=1", "p=;t=s:y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags, err := ParseTags(s)
		if _, strict := parseStrict(s); strict == nil && err != nil {
			t.Fatalf("%q is good for the strict reader alone", s)
		}
		if err != nil {
			if tags != nil {
				t.Fatalf("%q: tags beside an error", s)
			}
			return
		}
		var again strings.Builder
		for _, name := range slices.Sorted(maps.Keys(tags)) {
			if value := tags[name]; !tagName(name) || strings.Contains(value, ";") || strings.Trim(value, fws) != value {
				t.Fatalf("%q: %q is %q", s, name, value)
			}
			again.WriteString(name + "=" + tags[name] + ";")
		}
		if len(tags) > maxTags || strings.Count(s, "=") < len(tags) {
			t.Fatalf("%q: %d tags", s, len(tags))
		}
		if same, err := parseStrict(again.String()); err != nil || !maps.Equal(same, tags) {
			t.Fatalf("%q: written down %q, read %q", s, again.String(), same)
		}
	})
}

// FuzzSignature: a field that is no problem has all that is needed to verify it.
func FuzzSignature(f *testing.F) {
	const good = " v=1; a=ed25519-sha256; d=a.example; s=s; h=to:from; bh=AAAA; b=AAAA"
	for _, s := range []string{good, good + "; l=1; i=x@b.a.example; t=1; x=2; q=dns/txt; c=relaxed", good + "; i=@b.example", "b=;b=", good + "; c=/"} {
		f.Add(s)
	}
	now := time.Unix(1, 0)
	f.Fuzz(func(t *testing.T, value string) {
		field := Field{Name: "DKIM-Signature", Raw: "DKIM-Signature:" + value + "\r\n"}
		for _, form := range []*form{&formDKIM, &formMessageSignature, &formSeal} {
			c := form.check(field, now)
			if c.problem != nil {
				if c.problem.result == authres.Pass || c.problem.reason == "" || strings.ContainsAny(c.problem.reason, "\r\n") {
					t.Fatalf("%q: %+v", value, c.problem)
				}
				continue
			}
			if c.domain == "" || c.selector == "" || len(c.sig) == 0 || c.limit < -1 || !strings.HasSuffix(c.identity, c.domain) ||
				c.algorithm != "rsa-sha256" && c.algorithm != "ed25519-sha256" {
				t.Fatalf("%q: %+v", value, c.signature)
			}
			if form != &formSeal && (len(c.hash) == 0 || !slices.Contains(c.headers, "from")) {
				t.Fatalf("%q: %+v", value, c.signature)
			}
		}
		// Without b= its own field has the same tags, and that one empty.
		if tags, err := ParseTags(value); err == nil && !strings.ContainsAny(value, "\r\n") {
			if _, signed := tags["b"]; signed {
				left, err := ParseTags(strings.TrimPrefix(withoutSignature(field.Raw), "DKIM-Signature:"))
				if tags["b"] = ""; err != nil || !maps.Equal(left, tags) {
					t.Fatalf("%q: %q", value, withoutSignature(field.Raw))
				}
			}
		}
	})
}

// FuzzKey: a record gives one key whose size is allowed, or a reason.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"v=DKIM1; p=", "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB; t=s:y; h=sha256; s=email"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, p := parseKey(text)
		switch {
		case p != nil:
			if p.result != authres.PermError && p.result != authres.Policy || p.reason == "" || strings.ContainsAny(p.reason, "\r\n") {
				t.Fatalf("%q: %+v", text, p)
			}
		case (k.rsa == nil) == (k.ed25519 == nil), len(text) > maxKeyRecord:
			t.Fatalf("%q: %+v", text, k)
		case k.rsa != nil && (k.bits < minRSA || k.bits > maxRSA), k.ed25519 != nil && k.bits != 256:
			t.Fatalf("%q: %d bits", text, k.bits)
		default:
			if digest := make([]byte, 32); k.verify(digest, digest) || k.verify(digest, nil) {
				t.Fatalf("%q verifies anything", text)
			}
		}
	})
}
