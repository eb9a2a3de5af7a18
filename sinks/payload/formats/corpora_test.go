package formats_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
)

// corpusFiles are the files of all sets that stand beside the module.
func corpusFiles(t *testing.T) (files []string) {
	filepath.WalkDir(filepath.Join("..", "..", "..", "..", "shared", "corpora"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil || testing.Short() && info.Size() > 16<<10 {
			return err
		}
		files = append(files, path)
		return nil
	})
	return files
}

// TestEveryMessageInEveryFormat: whatever the message, each format makes a payload of
// the length that it says, the same at a second reading, that a reader of its kind can read.
func TestEveryMessageInEveryFormat(t *testing.T) {
	made := make(map[string]payload.Format)
	for _, name := range formats.Names() {
		kind, _ := formats.Find(name)
		f, err := formats.New(name, formats.Options{Include: payload.Include{HTML: true}, Secret: exampleSecret(t, kind)})
		if err != nil {
			t.Fatal(err)
		}
		made[name] = f
	}
	check := func(t *testing.T, what string, data []byte) {
		e := payloadtest.Event(t, data)
		for i, name := range formats.Names() {
			if len(data) > 64<<10 && (i+len(data))%4 != 0 {
				continue // twenty files hold most octets: each is met in a quarter of the formats
			}
			f := made[name]
			r, p := payloadtest.Request(t, f, e)
			if err := readable(r.Body.ContentType(), p); err != "" {
				t.Errorf("%s in %s: %s", what, name, err)
			}
		}
	}
	files := sample(append(payloadtest.Messages(t), corpusFiles(t)...))
	each(t, len(files)+len(hostile), func(t *testing.T, i int) {
		if i -= len(files); i >= 0 {
			check(t, fmt.Sprintf("%.40q", hostile[i]), []byte(strings.ReplaceAll(hostileMessage, "HOSTILE", hostile[i])))
			return
		}
		file := files[i+len(files)]
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		check(t, file, data)
	})
	t.Logf("%d files and %d hostile texts in %d formats", len(files), len(hostile), len(made))
}

// sample is every twentieth file under the race detector, which makes each ten times as slow,
// and all of them without it.
func sample(files []string) (some []string) {
	if !raceDetector {
		return files
	}
	for i := 0; i < len(files); i += 20 {
		some = append(some, files[i])
	}
	return some
}

// each calls do for 0 to n-1, on all processors.
func each(t *testing.T, n int, do func(t *testing.T, i int)) {
	var next atomic.Int64
	t.Run("each", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
					do(t, int(i))
				}
			})
		}
	})
}

// hostile are texts that break encoders and readers, where a sender can put them.
var hostile = []string{
	"", "\x00", "\x7f\x1b[31m", `","id":"x","a":"`, `"}]}`, `\`, `\u0000`, `\ud800`, "\xed\xa0\x80", "\xff\xfe", "\xc3", "a\xf0\x9f\x98",
	"\u2028\u2029", "\uFFFE\uFFFF\uFFFD", "\u202egpj.exe", "</script><!--", "__proto__", "1e400", "18446744073709551616", "\ufeffbom", "%00%0d%0a&a=b;c=d+", "\r", "\r\n X: y",
	"../../../../etc/passwd", `..\..\x`, `C:\con`, ".", "con", strings.Repeat("a/", 2000), strings.Repeat("\xffä", 100), "\U0010FFFF\U0001FFFE",
	"--b", "\r\n--b", "=?utf-8?q?=0d=0aX:_y=00?=", "=?utf-8?b?7aCA?=", "<a@b.example>, c", "\"", "(", "@", ";", "begin 644 x\r\n",
}

const hostileMessage = "From: \"HOSTILE\" <a@b.example>\r\nTo: HOSTILE <b@b.example>\r\nReply-To: HOSTILE\r\nSubject: HOSTILE\r\nMessage-ID: <HOSTILE>\r\nReferences: <HOSTILE> HOSTILE\r\n" +
	"Date: HOSTILE\r\nX-HOSTILE: HOSTILE\r\nX-Twice: 1\r\nX-Twice: HOSTILE\r\nList-Id: HOSTILE\r\nList-Unsubscribe: <https://HOSTILE>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=HOSTILE\r\n\r\nHOSTILE\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>HOSTILE\r\n" +
	"--b\r\nContent-Type: HOSTILE/HOSTILE; name=\"HOSTILE\"\r\nContent-Disposition: inline; filename=\"HOSTILE\"\r\nContent-ID: <HOSTILE>\r\n\r\nHOSTILE\r\n--b--\r\n"

// readable tells what a reader would complain about.
func readable(contentType string, p []byte) string {
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return "Content-Type: " + err.Error()
	case strings.HasSuffix(kind, "json"):
		if !json.Valid(p) || !utf8.Valid(p) {
			return "no JSON"
		}
	case strings.HasPrefix(kind, "multipart/"):
		r := multipart.NewReader(bytes.NewReader(p), params["boundary"])
		for n := 0; ; n++ {
			part, err := r.NextRawPart()
			if err == io.EOF && n > 0 {
				return ""
			}
			if err != nil {
				return "multipart: " + err.Error()
			}
			if part.FormName() == "" {
				return "a part without a name"
			}
			if _, err := io.Copy(io.Discard, part); err != nil {
				return "multipart: " + err.Error()
			}
		}
	case strings.HasSuffix(kind, "form-urlencoded"):
		v, err := url.ParseQuery(string(p))
		if err != nil {
			return "form: " + err.Error()
		}
		for name, values := range v {
			if !utf8.ValidString(name+strings.Join(values, "")) && name != "body-mime" {
				return "no UTF-8 in " + name
			}
		}
	}
	return ""
}
