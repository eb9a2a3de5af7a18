package payload

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mxhook/inbound/message"
	"mxhook/sinks"
)

// streamMark is what stands for a stream.
const streamMark = `["",0]`

// hostile are texts that break encoders, readers or logs.
var hostile = []string{
	"", "\x00", "\x7f\x1b[31m", "\r\nX: y\r\n", `","id":"msg_x","a":"`, `"}]}`, `\`, `\u0000`, `\ud800`, "\xed\xa0\x80", "\xff\xfe", "\xc3", "a\xf0\x9f\x98",
	"\u2028\u2029", "\uFFFE\uFFFF\uFFFD", "\u202egpj.exe", "</script><!--", "__proto__", "1e400", "18446744073709551616", streamMark, "[" + streamMark[1:3], `"` + streamMark + `"`,
	"\ufeffbom", strings.Repeat("\xffä", 100), "\U0010FFFF\U0001FFFE",
}

// FuzzNative runs over the hostile texts in every test run.
func FuzzNative(f *testing.F) {
	s := strictSchema(f)
	for _, h := range hostile {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, h string) { checkHostile(t, s.Validate, h) })
}

// What looks like a number, a key of JavaScript or a repeat stays what it is: ids beyond
// 2^53 are texts, fields are listed in their order with every repeat, and a capture of
// any name is a key of its own.
func TestNamesAndNumbersStayTexts(t *testing.T) {
	e := fullEvent(same)
	ids := []string{"18446744073709551615", "9007199254740993", "-0", "1e400", "0x10", "null", "true", "NaN", "00042"}
	names := []string{"X-Id", "X-Id", "x-id", "__proto__", "constructor", "X-Id", "toString", "__proto__", "0"}
	e.Message.Header = nil
	for i, name := range names {
		e.Message.Header = append(e.Message.Header, message.Field{Name: name, Value: ids[i]})
	}
	captures := make(map[string]string)
	for i, name := range []string{"__proto__", "constructor", "18446744073709551615", "", "a", "A"} {
		captures[name] = ids[i]
	}
	e.Recipients[0].Captures = captures
	e.Message.MessageID, e.Session.User, e.Route, e.Mail.Provider.MessageID = ids[0], ids[1], ids[2], ids[0]
	e.Message.Attachments[0].ContentID, e.Message.Attachments[0].Filename = ids[0], ids[3]
	p := readAll(t, native1(t, e, Include{HTML: true}))
	validate(t, strictSchema(t), "names and numbers", p)
	n := decode(t, p)
	for i, h := range n.Message.Headers {
		if i >= len(names) || h.Name != names[i] || h.Value != ids[i] {
			t.Errorf("field %d: %+v", i, h)
		}
	}
	if len(n.Message.Headers) != len(names) || !maps.Equal(n.Envelope.Recipients[0].Captures, captures) {
		t.Errorf("%d fields of %d; captures %q", len(n.Message.Headers), len(names), n.Envelope.Recipients[0].Captures)
	}
	file := n.Message.Attachments[0]
	for _, c := range [][2]string{
		{n.Message.MessageID, ids[0]}, {*n.Envelope.User, ids[1]}, {n.Route, ids[2]}, {file.ContentID, ids[0]}, {file.Filename, ids[3]},
	} {
		if c[0] != c[1] {
			t.Errorf("%q became %q", c[1], c[0])
		}
	}
	checkNumbers(t, p)
}

// checkNumbers holds p to numbers that a reader of IEEE 754 doubles does not round.
func checkNumbers(t *testing.T, p []byte) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if number, ok := token.(json.Number); ok {
			if v, err := number.Int64(); err != nil || v > 1<<53 || v < -1<<53 {
				t.Errorf("the number %s", number)
			}
		}
	}
}

// checkHostile puts h into every text of an event and holds the payload to: valid
// UTF-8, fit for XML as SQS wants it, valid against the schema, the keys in their
// order, and each text read back as it was but for octets that are no UTF-8.
func checkHostile(t *testing.T, valid func(any) error, h string) {
	t.Helper()
	e := fullEvent(func(s string) string { return s + h })
	if h != "" && len(h) < 50 {
		e.Message.Text = strings.Repeat(e.Message.Text, inlineText/len(e.Message.Text)+1) // long enough to be streamed
	}
	p := readAll(t, native1(t, e, Include{Raw: "inline", HTML: true}))
	if !utf8.Valid(p) {
		t.Fatalf("%.40q: not UTF-8", h)
	}
	if bad := strings.IndexFunc(string(p), func(r rune) bool {
		return r < ' ' || r == '\u2028' || r == '\u2029' || r == '\uFFFE' || r == '\uFFFF'
	}); bad >= 0 {
		t.Fatalf("%.40q: %.20q is not escaped", h, p[bad:])
	}
	var v any
	if err := json.Unmarshal(p, &v); err != nil {
		t.Fatalf("%.40q: %v", h, err)
	}
	if err := valid(v); err != nil {
		t.Fatalf("%.40q: %v", h, err)
	}
	if got := keysOf(t, p); !slices.Equal(got, strings.Fields(contractKeys)) {
		t.Fatalf("%.40q: keys %v", h, got)
	}
	checkTexts(t, e, decode(t, p), func(s string) string { return expandInvalid(s) })
}

func checkTexts(t *testing.T, e *sinks.Event, n native, clean func(string) string) {
	t.Helper()
	m, r := e.Message, e.Results
	for i, c := range [][2]string{
		{n.Route, e.Route}, {n.Envelope.HELO, e.Session.HELO}, {*n.Envelope.User, e.Session.User}, {n.Envelope.TLS.Cipher, e.Session.TLS.Cipher},
		{n.Envelope.ReversePath, e.Mail.ReversePath.String()}, {n.Envelope.Recipients[0].Address, e.Recipients[0].Path.String()},
		{n.Envelope.Recipients[0].LocalPart, e.Recipients[0].Path.LocalPart}, {n.Envelope.RemoteName, r.IPRev.Name},
		{n.Authentication.SPF.Reason, r.SPF.Reason}, {n.Authentication.DKIM[0].Selector, r.DKIM[0].Selector}, {n.Authentication.DMARC.Domain, r.DMARC.Domain},
		{n.Authentication.ARC.Sealers[0], r.ARC.Sealers[0]}, {n.Authentication.Header, r.Header},
		{n.Authentication.SPF.Mechanism, r.SPF.Mechanism}, {n.Authentication.SPFHelo.Explanation, r.SPFHelo.Explanation}, {n.Authentication.DKIM[0].Identity, r.DKIM[0].Identity},
		{n.Authentication.DKIM[0].Oversigned[0], r.DKIM[0].Oversigned[0]}, {n.Authentication.DMARC.AggregateReports[0], r.DMARC.AggregateReports[0]},
		{n.Authentication.DMARC.FailureReports[0], r.DMARC.FailureReports[0]}, {n.Authentication.IPRev.Reason, r.IPRev.Reason}, {n.Authentication.HELO.Name, r.HELO.Name},
		{n.Authentication.HELO.Reason, r.HELO.Reason}, {n.Authentication.FromVerifiedReason, r.FromVerifiedReason},
		{n.Message.MessageID, m.MessageID}, {n.Message.Subject, m.Subject}, {n.Message.From[1].Address, m.From[1].Address}, {n.Message.Sender.Name, m.Sender.Name},
		{n.Message.References[0], m.References[0]}, {n.Message.Headers[0].Name, m.Header[0].Name}, {n.Message.Headers[0].Value, m.Header[0].Value},
		{n.Message.Text.(string), m.Text}, {n.Message.HTML.(string), m.HTML}, {n.Message.Attachments[1].Filename, m.Attachments[1].Filename},
		{n.Message.Automatic.Reason, m.Automatic.Reason}, {n.Message.List.Unsubscribe[0], m.List.Unsubscribe[0]}, {n.Message.Defects[0].Text, m.Defects[0].Text},
		{n.Message.Bounce.Recipients[0].Diagnostic, m.Bounce.Recipients[0].Diagnostic}, {n.Message.Bounce.OriginalHeaders[0].Value, m.Bounce.OriginalHeaders[0].Value},
		{n.Message.FeedbackReport.ReportedURI[0], m.FeedbackReport.ReportedURI[0]}, {n.Message.Calendar[0].Description, m.Calendar[0].Description},
		{n.Message.Calendar[0].Attendees[1].Address, m.Calendar[0].Attendees[1].Address}, {n.Message.Calendar[0].Start.TZID, m.Calendar[0].Start.TZID},
	} {
		if c[0] != clean(c[1]) {
			t.Errorf("text %d: %.60q became %.60q", i, c[1], c[0])
		}
	}
	for k, want := range e.Recipients[0].Captures {
		if got, ok := n.Envelope.Recipients[0].Captures[clean(k)]; !ok || got != clean(want) {
			t.Errorf("capture %.40q: %.40q became %.40q", k, want, got)
		}
	}
	checkContent(t, n.Raw.Content, e.Data.Open())
	checkContent(t, n.Message.Attachments[0].Content, m.Attachments[0].Open())
}

func checkContent(t *testing.T, got any, want interface{ Read([]byte) (int, error) }) {
	t.Helper()
	var back struct{ B []byte }
	if err := json.Unmarshal([]byte(`{"B":"`+got.(string)+`"}`), &back); err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	if _, err := w.ReadFrom(want); err != nil || !bytes.Equal(back.B, w.Bytes()) {
		t.Errorf("content of %d octets became %d (%v)", w.Len(), len(back.B), err)
	}
}
