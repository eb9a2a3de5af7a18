package payload_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/payloadtest"
)

// unlike tells in what a message differs, as a reader sees it, from what e holds.
func unlike(e *sinks.Event, text string) (what []string) {
	got := message.Parse(strings.NewReader(text), int64(len(text)), message.Options{SMTPUTF8: true})
	return append(differ(e.Message, got), differFiles(e.Message.Attachments, got.Attachments)...)
}

func differ(want, got *message.Message) (what []string) {
	for name, pair := range map[string][2]string{
		"subject": {want.Subject, got.Subject}, "text": {want.Text, got.Text}, "html": {want.HTML, got.HTML},
		"from": {fmt.Sprint(want.From), fmt.Sprint(got.From)}, "to": {fmt.Sprint(want.To), fmt.Sprint(got.To)}, "id": {want.MessageID, got.MessageID},
	} {
		if pair[0] != pair[1] {
			what = append(what, fmt.Sprintf("%s: %.300q, want %.300q", name, pair[1], pair[0]))
		}
	}
	return what
}

// differFiles: the octets of a nested message may be others, since it is edited within.
func differFiles(want, got []message.Attachment) (what []string) {
	if len(want) != len(got) {
		return []string{fmt.Sprintf("%d attachments, want %d", len(got), len(want))}
	}
	for i := range want {
		w, g := &want[i], &got[i]
		if w.Filename != g.Filename || w.ContentType != g.ContentType || w.ContentID != g.ContentID {
			what = append(what, fmt.Sprintf("attachment %q %s, want %q %s", g.Filename, g.ContentType, w.Filename, w.ContentType))
		}
		if w.SHA256 == g.SHA256 {
			continue
		}
		a, _ := io.ReadAll(w.Open())
		b, _ := io.ReadAll(g.Open())
		if w.ContentType != "message/rfc822" {
			what = append(what, fmt.Sprintf("attachment %q holds %.200q, want %.200q", g.Filename, b, a))
			continue
		}
		inner := message.Parse(bytes.NewReader(a), int64(len(a)), message.Options{SMTPUTF8: true})
		same := message.Parse(bytes.NewReader(b), int64(len(b)), message.Options{SMTPUTF8: true})
		what = append(append(what, differ(inner, same)...), differFiles(inner.Attachments, same.Attachments)...)
	}
	return what
}

// notUTF8 are the messages of all sets that are not UTF-8.
func notUTF8(t *testing.T) map[string][]byte {
	t.Helper()
	some := map[string][]byte{}
	take := func(path string) {
		if data, err := os.ReadFile(path); err == nil && !utf8.Valid(data) {
			some[path] = data
		}
	}
	for _, path := range payloadtest.Messages(t) {
		take(path)
	}
	filepath.WalkDir("../../../shared/corpora", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			take(path)
		}
		return nil
	})
	return some
}

// TestATextOfTheMessageReadsAsTheMessage: over all messages that there are, what formats
// carry as text is UTF-8, and a parser finds in it what it finds in the original.
func TestATextOfTheMessageReadsAsTheMessage(t *testing.T) {
	for file, data := range notUTF8(t) {
		e := payloadtest.Event(t, data)
		if what := unlike(e, payloadtest.RawText(t, e)); len(what) > 0 {
			t.Errorf("%s: %s", file, strings.Join(what, "\n"))
		}
	}
}

// TestPythonReadsTheTextOfAMessageAsTheMessage: every part that Python's parser finds in the
// original has the same octets in the text, decoded.
func TestPythonReadsTheTextOfAMessageAsTheMessage(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here")
	}
	const program = `
import base64, email, json, sys
def parts(m):
    return [[p.get_content_type(), base64.b64encode(p.get_payload(decode=True) or b"").decode()] for p in m.walk() if not p.is_multipart()]
for line in sys.stdin:
    name, sent, text = json.loads(line)
    a, b = parts(email.message_from_bytes(base64.b64decode(sent))), parts(email.message_from_string(text))
    print(name if a != b else "", len(a), a != b and [(x, y) for x, y in zip(a, b) if x != y])
`
	var in bytes.Buffer
	out := json.NewEncoder(&in)
	files := notUTF8(t)
	for file, data := range files {
		e := payloadtest.Event(t, data)
		raw, err := payload.Raw(e)
		if err != nil {
			t.Fatal(err)
		}
		out.Encode([]any{file, payloadtest.Read(t, raw), payloadtest.RawText(t, e)})
	}
	cmd := exec.Command(python, "-c", program)
	cmd.Stdin = &in
	said, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimRight(string(said), "\n"), "\n")
	if err != nil || len(lines) != len(files) {
		t.Fatalf("%v: %.2000s", err, said)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, " ") {
			t.Errorf("%.900s", line)
		}
	}
}

var eightBit = map[string]struct{ data, want string }{
	"a single part without an encoding": {
		"From: a@b.example\r\nContent-Type: text/plain; charset=iso-8859-1\r\nSubject: x\r\n\r\ngr\xfcn \r\n-- \r\nx\n\r",
		"From: a@b.example\r\nContent-Type: text/plain; charset=iso-8859-1\r\nSubject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=FCn=20\r\n=2D-=20\r\nx=0A=0D"},
	"an encoding of its own, twice": {
		"Content-Transfer-Encoding: 8bit\r\nFrom: a@b.example\r\ncontent-transfer-encoding:\r\n 8bit\r\n\r\n\xe9\r\n",
		"Content-Transfer-Encoding: quoted-printable\r\nFrom: a@b.example\r\n\r\n=E9\r\n"},
	"a part that is UTF-8 stays": {
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ngr\u00fcn\r\n--b\r\nContent-Type: application/x\r\n\r\n\xff\x00\r\n--b--\r\n",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ngr\u00fcn\r\n--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n/wA=\r\n\r\n--b--\r\n"},
	"a part without a header section": {
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xfc\r\n--b\r\n\xfc: y\r\n--b--\r\n",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC: y\r\n--b--\r\n"},
	"fields in Latin-1": {"Subject: gr\xfcn\r\nX: \u00fc\r\n\r\nx", "Subject: gr\u00fcn\r\nX: \u00fc\r\n\r\nx"},
	"octets within encoded content": {
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xfc\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=3D\xfc=\r\nx\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nQU\xa0JD\r\n--b--\r\n",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n\ufffd\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=3D=FC=\r\nx\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--\r\n"},
	"a message within": {
		"Content-Type: message/rfc822\r\n\r\nSubject: \xfc\r\n\r\n\xfc",
		"Content-Type: message/rfc822\r\n\r\nSubject: \u00fc\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FC"},
	"a field that is cut": {"Return-Path: <\xfc@b.example>\r\nSubject: \xfc\r\n\r\nx", "Subject: \u00fc\r\n\r\nx"},
	"no field at all":     {"\xfc\r\n", "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n"},
}

func TestPartsThatAreNoUTF8AreEncodedAnew(t *testing.T) {
	for name, c := range eightBit {
		e := payloadtest.Event(t, []byte(c.data))
		text := payloadtest.RawText(t, e)
		if front := strings.Index(text, "+0000\r\n") + 7; text[front:] != c.want {
			t.Errorf("%s:\n%q, want\n%q", name, text[front:], c.want)
		}
	}
}

// TestQuotedPrintableIsExact: any octets come back, in lines of at most 76 characters none of
// which can be a boundary.
func TestQuotedPrintableIsExact(t *testing.T) {
	body := strings.Repeat("\xfc -- ===\t--boundary and words \r\n", 40) + strings.Repeat("-- \xe4", 300) + " \r\n\r\r\n\n\t\r\n\x00 "
	e := payloadtest.Event(t, []byte("Content-Type: text/plain; charset=iso-8859-1; name=a.txt\r\nContent-Disposition: attachment\r\n\r\n"+body))
	text := payloadtest.RawText(t, e)
	if what := unlike(e, text); len(what) > 0 {
		t.Error(what)
	}
	_, text, _ = strings.Cut(text, "\r\n\r\n")
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > 76 || strings.HasPrefix(line, "--") {
			t.Errorf("%q", line)
		}
	}
}

// TestThousandsOfPartsThatAreNoUTF8: none beyond the limits is a reason to fail.
func TestThousandsOfPartsThatAreNoUTF8(t *testing.T) {
	var b strings.Builder
	b.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "Delivered-To: x\r\n--b\r\nContent-Type: text/plain; name=%d\xfc.txt\r\n\r\n\xfc%d\r\n", i, i)
	}
	e := payloadtest.Event(t, []byte(strings.Repeat("Delivered-To: \xfc\r\nX: \xfc\r\n", 3000)+b.String()))
	text := payloadtest.RawText(t, e)
	if n := strings.Count(text, "=FC"); n < 500 {
		t.Errorf("%d parts are encoded", n)
	}
}

func FuzzRawText(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(eightBit)) {
		f.Add([]byte(eightBit[name].data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e := payloadtest.Event(t, data)
		src, err := payload.RawText(e)
		if err != nil {
			t.Fatal(err)
		}
		p, err := io.ReadAll(src.Open())
		again, _ := io.ReadAll(src.Open())
		if err != nil || int64(len(p)) != src.Size || !utf8.Valid(p) || !bytes.Equal(p, again) {
			t.Fatalf("%d octets, Size says %d, %v: %q", len(p), src.Size, err, p)
		}
		if raw, err := payload.Raw(e); err == nil && utf8.Valid(payloadtest.Read(t, raw)) && !bytes.Equal(p, payloadtest.Read(t, raw)) {
			t.Fatal("UTF-8 is edited")
		}
	})
}
