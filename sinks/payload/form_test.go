package payload

import (
	"bytes"
	"crypto/sha256"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"mxhook/inbound"
	"mxhook/sinks"
)

func TestFormReadsBackAsItWas(t *testing.T) {
	long := strings.Repeat("a b+c&d=é%\x00", inlineText/8)
	var f Form
	f.Add("plain", "a b&c=d+é\r\n")
	f.Add("long", long)
	if err := f.AddSource("content", Base64Source(sourceOf(pattern(100_001)))); err != nil {
		t.Fatal(err)
	}
	b := f.Body()
	p := readAll(t, b)
	got, err := url.ParseQuery(string(p))
	if err != nil {
		t.Fatal(err)
	}
	base64, _ := io.ReadAll(Base64Source(sourceOf(pattern(100_001))).Open())
	for name, want := range map[string]string{"plain": "a b&c=d+é\r\n", "long": long, "content": string(base64)} {
		if got.Get(name) != want {
			t.Errorf("%s: another value", name)
		}
	}
	if b.ContentType() != "application/x-www-form-urlencoded" || b.Size() != int64(len(p)) {
		t.Errorf("%s, %d octets of %d", b.ContentType(), b.Size(), len(p))
	}
}

func TestFormOfASourceThatFailsIsAnError(t *testing.T) {
	var f Form
	err := f.AddSource("a", Source{Open: func() io.Reader { return iotest.ErrReader(io.ErrClosedPipe) }, Size: 3})
	if err == nil {
		t.Error("no error")
	}
}

func TestMultipartReadsBackAsItWas(t *testing.T) {
	e := &sinks.Event{ID: testID, Data: inbound.NewMailData([]byte("Subject: x\r\n\r\nx"))}
	m := NewMultipart(e)
	m.Field("text", "a\r\n--b\r\n\r\né")
	m.FieldSource("json", "application/json", TextSource("{}"))
	m.File("attachment1", "a\"b\r\nX: y\\ü.pdf", "application/pdf\r\nX: y", sourceOf(pattern(70_000)))
	b := m.Body()
	p := readAll(t, b)
	_, params, err := mime.ParseMediaType(b.ContentType())
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(bytes.NewReader(p), params["boundary"])
	want := []struct{ name, file, kind string }{
		{"text", "", ""}, {"json", "", "application/json"}, {"attachment1", "a%22b%0D%0AX: y%5Cü.pdf", "application/pdf%0D%0AX: y"},
	}
	var sums [][32]byte
	for _, w := range want {
		part, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		if part.FormName() != w.name || part.FileName() != w.file || part.Header.Get("Content-Type") != w.kind || part.Header.Get("X") != "" {
			t.Errorf("part %q %q %q, want %+v", part.FormName(), part.FileName(), part.Header, w)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sha256.Sum256(content))
	}
	if sums[0] != sha256.Sum256([]byte("a\r\n--b\r\n\r\né")) || sums[2] != sha256.Sum256(pattern(70_000)) {
		t.Error("another content")
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}

func TestTheBoundaryDependsOnEveryOctetAndIsTheSameAgain(t *testing.T) {
	boundary := func(id, data string) string {
		return NewMultipart(&sinks.Event{ID: id, Data: inbound.NewMailData([]byte(data))}).boundary
	}
	a := boundary("msg_a", "x")
	if a != boundary("msg_a", "x") || a == boundary("msg_b", "x") || a == boundary("msg_a", "y") || len(a) > 70 {
		t.Error(a)
	}
}

func TestObjectKeepsItsOrder(t *testing.T) {
	var j JSON
	stream := j.Stream(TextSource("cw=="))
	o := Object{{"z", 1}, {"a", Object{{"<é\u2028", stream}}}, {"z", nil}}
	o.Set("z", "<2>")
	o.Set("b", []string{})
	b, err := j.Encode(o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(readAll(t, b)), `{"z":"<2>","a":{"<é\u2028":"cw=="},"z":null,"b":[]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if o.Get("b") == nil || o.Get("c") != nil {
		t.Error("Get")
	}
}

func TestStreamsMayStandInAnyOrder(t *testing.T) {
	var j JSON
	first, second := j.Stream(TextSource("Zmlyc3Q=")), j.Stream(TextSource("c2Vjb25k"))
	b, err := j.Encode([]any{second, first})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(readAll(t, b)), `["c2Vjb25k","Zmlyc3Q="]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	j.Stream(TextSource(""))
	if _, err := j.Encode([]any{first, second}); err == nil {
		t.Error("a stream without a place is no error")
	}
}

func sourceOf(p []byte) Source { return Source{Open: open(p), Size: int64(len(p))} }
