package message

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a parse tree of another parser, as far as it is compared.
type tree struct {
	HTML        []int `json:"html_body"`
	Text        []int `json:"text_body"`
	Attachments []int `json:"attachments"`
	Parts       []struct {
		Headers []struct {
			Name  json.RawMessage `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"headers"`
		Body  json.RawMessage `json:"body"`
		Start int             `json:"offset_body"`
		End   int             `json:"offset_end"`
	} `json:"parts"`
}

// body returns the kind and the content of part i; nested messages have none.
func (tr *tree) body(i int) (kind, text string) {
	var m map[string]json.RawMessage
	json.Unmarshal(tr.Parts[i].Body, &m)
	for kind, v := range m {
		var s string
		if json.Unmarshal(v, &s) == nil {
			return kind, s
		}
		var octets []int
		if json.Unmarshal(v, &octets) == nil && kind != "Multipart" {
			b := make([]byte, len(octets))
			for i, o := range octets {
				b[i] = byte(o)
			}
			return kind, string(b)
		}
		return kind, ""
	}
	return "", ""
}

// filename returns what the tree's headers say of the part's name.
func (tr *tree) filename(i int) string {
	var name string
	for _, h := range tr.Parts[i].Headers {
		var v struct {
			ContentType struct {
				Attributes []struct{ Name, Value string }
			}
		}
		json.Unmarshal(h.Value, &v)
		for _, a := range v.ContentType.Attributes {
			field := strings.Trim(string(h.Name), `"`)
			if field == "content_disposition" && a.Name == "filename" || field == "content_type" && a.Name == "name" && name == "" {
				name = a.Value
			}
		}
	}
	return name
}

// compareTree returns what differs between m and the tree.
func compareTree(m *Message, tr *tree) (diffs []string) {
	norm := func(s string) string { return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\r\n") }
	var text, html []string
	for _, i := range tr.Text {
		if kind, s := tr.body(i); kind == "Text" {
			text = append(text, norm(s))
		}
	}
	for _, i := range tr.HTML {
		if kind, s := tr.body(i); kind == "Html" {
			html = append(html, norm(s))
		}
	}
	squash := func(s string) string {
		return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' }), "\n")
	}
	if want := strings.Join(text, "\n"); !m.TextFromHTML && squash(norm(m.Text)) != squash(want) {
		diffs = append(diffs, "text "+m.Text+" want "+want)
	}
	if want := strings.Join(html, "\n"); squash(norm(m.HTML)) != squash(want) {
		diffs = append(diffs, "html "+m.HTML+" want "+want)
	}
	if len(m.Attachments) != len(tr.Attachments) {
		return append(diffs, "number of attachments")
	}
	for n, i := range tr.Attachments {
		kind, want := tr.body(i)
		a := &m.Attachments[n]
		var b bytes.Buffer
		b.ReadFrom(a.Open())
		if kind != "Message" && norm(b.String()) != norm(want) {
			diffs = append(diffs, "attachment "+b.String()+" want "+want)
		}
		if name := tr.filename(i); name != a.Filename && name != "" {
			diffs = append(diffs, "name "+a.Filename+" want "+name)
		}
	}
	return diffs
}

// treeDifferences are the messages whose tree is another than ours, and why.
var treeDifferences = map[string]string{
	"malformed/001":  "an outer boundary ends the inner multipart (RFC 2046 5.1.2); there it opens a part of it",
	"malformed/002":  "a multipart without any boundary line is shown as text; there it is an attachment",
	"malformed/008":  "an outer boundary ends the inner multipart",
	"malformed/009":  "an outer boundary ends the inner multipart",
	"malformed/011":  "an outer boundary ends the inner multipart",
	"malformed/012":  "an outer boundary ends the inner multipart, also within a nested message",
	"malformed/020":  "of two Content-Type fields of a part the first counts; there the last",
	"malformed/021":  "of two Content-Type fields of a part the first counts; there the last",
	"rfc/000":        "what base64 letters there are is decoded; there damaged base64 is left as it is",
	"thirdparty/015": "an outer boundary ends a nested message whose own boundary never comes; there two attachments are lost in it",
}

// The trees that another parser, written by others in another language, found.
func TestTreesOfAnotherParser(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpora(t), "mime-mailparser-stalwart", "*", "*.json"))
	same := 0
	for _, file := range files {
		base, crlf := strings.CutSuffix(file, ".crlf.json")
		base = strings.TrimSuffix(base, ".json")
		b, err := os.ReadFile(base + ".eml")
		if err != nil {
			t.Fatal(err)
		}
		if crlf {
			b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
		}
		j, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var tr tree
		if err := json.Unmarshal(j, &tr); err != nil {
			t.Fatal(err)
		}
		m := Parse(bytes.NewReader(b), int64(len(b)), Options{})
		name := filepath.Base(filepath.Dir(base)) + "/" + filepath.Base(base)
		d := compareTree(m, &tr)
		if len(d) == 0 {
			same++
		} else if treeDifferences[name] == "" {
			t.Errorf("%s: %q", file, d)
		}
	}
	t.Logf("%d of %d trees are the same", same, len(files))
	if same < 32 {
		t.Errorf("%d trees are the same, there were 32", same)
	}
}
