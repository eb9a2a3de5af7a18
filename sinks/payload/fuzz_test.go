package payload

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/sinks"
)

func seeds(f *testing.F) {
	for _, s := range []string{"", "a b&c=d+é\r\n", "\"\\\r\nX: y", "--mxhook-\r\n", "\x00\xff\u2028\ufffe", `["",0]`, strings.Repeat("é%", 3000)} {
		f.Add(s, s)
		f.Add("name", s)
	}
}

// FuzzForm: net/url reads what went in.
func FuzzForm(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, name, value string) {
		var form Form
		form.Add(name, value)
		if err := form.AddSource("source", TextSource(value)); err != nil {
			t.Fatal(err)
		}
		form.Add(name, "again")
		p := readAll(t, form.Body())
		got, err := url.ParseQuery(string(p))
		if err != nil {
			t.Fatal(err)
		}
		all := got[name]
		if name == "source" {
			all = []string{all[0], all[2]}
		}
		if len(all) != 2 || all[0] != value || all[1] != "again" || got["source"][len(got["source"])-1] != value && name != "source" {
			t.Errorf("%q: %q", p, got)
		}
	})
}

// FuzzMultipart: mime/multipart reads what went in, names but for what can't stand there.
func FuzzMultipart(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, name, value string) {
		m := NewMultipart(&sinks.Event{ID: testID, Data: inbound.NewMailData([]byte(value))})
		m.Field(name, value)
		m.File("file", name, name, TextSource(value))
		b := m.Body()
		_, params, err := mime.ParseMediaType(b.ContentType())
		if err != nil {
			t.Fatal(err)
		}
		r := multipart.NewReader(bytes.NewReader(readAll(t, b)), params["boundary"])
		for i := range 2 {
			part, err := r.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			p, err := io.ReadAll(part)
			if err != nil || string(p) != value {
				t.Errorf("part %d: %q, want %q (%v)", i, p, value, err)
			}
			if i == 0 && part.FormName() != quoteParameter(name) || i == 1 && part.FormName() != "file" || len(part.Header) > 2 {
				t.Errorf("part %d: %q", i, part.Header)
			}
		}
		if _, err := r.NextRawPart(); err != io.EOF {
			t.Errorf("a third part: %v", err)
		}
	})
}

// FuzzJSON: encoding/json reads what went in, where it is UTF-8.
func FuzzJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, name, value string) {
		var j JSON
		source, err := j.TextSource(TextSource(value))
		if err != nil {
			t.Fatal(err)
		}
		o := Object{{"a" + name, value}, {"source", source}, {"list", []any{"", j.Stream(TextSource("YQ==")), value}}}
		b, err := j.Encode(o)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(readAll(t, b), &got); err != nil {
			t.Fatal(err)
		}
		valid := func(s string) string { p, _ := json.Marshal(s); var v string; json.Unmarshal(p, &v); return v }
		list := got["list"].([]any)
		if got[valid("a"+name)] != valid(value) || got["source"] != valid(value) || list[0] != "" || list[1] != "YQ==" || list[2] != valid(value) {
			t.Errorf("%q", got)
		}
	})
}
