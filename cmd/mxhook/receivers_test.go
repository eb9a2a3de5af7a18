package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const receiverSecret = "whsec_cmVjZWl2ZXJzIG9mIHRoZSBleGFtcGxlcw=="

// receiverExample is a program of examples/receivers.
type receiverExample struct {
	name   string
	format string
	probe  []string // fails where the program can't run
	run    []string // %PORT% is a free port, for those that can't choose one themselves
	// makesFolder says that it makes its folder anew when that is gone.
	makesFolder bool
}

var receiverExamples = []receiverExample{
	{name: "go", format: "mxhook", probe: []string{"go", "version"}, run: []string{"%BUILT%"}},
	{name: "node", format: "mxhook", probe: []string{"node", "-e", `require("express")`}, run: []string{"node", "node/server.js"}},
	{name: "python", format: "mxhook", probe: []string{"/usr/bin/python3", "-c", "import flask"}, run: []string{"/usr/bin/python3", "-B", "python/receiver.py"}},
	{name: "php", format: "mxhook", probe: []string{"php", "--version"}, makesFolder: true,
		run: []string{"php", "-d", "post_max_size=64M", "-S", "127.0.0.1:%PORT%", "php/inbound.php"}},
	{name: "ruby", format: "raw", probe: []string{"ruby", "-e", `require "rails"; require "action_mailbox/engine"; require "sqlite3"; require "webrick"`},
		run: []string{"ruby", "ruby/app.rb"}, makesFolder: true},
}

// startReceiverExample starts the program and returns its address and its folder.
func startReceiverExample(t *testing.T, e receiverExample) (address, folder string) {
	t.Helper()
	command := append([]string{}, e.run...)
	for i, a := range command {
		if a == "%BUILT%" { // `go run` would leave its child behind
			command[i] = filepath.Join(t.TempDir(), "receiver")
			if out, err := exec.Command("go", "build", "-o", command[i], "../../examples/receivers/go").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		if strings.Contains(a, "%PORT%") {
			command[i] = strings.ReplaceAll(a, "%PORT%", freePort(t))
		}
	}
	address, folder, _ = startExample(t, e.probe, "receivers", command)
	return address, folder
}

// startExample starts a program in a folder of examples and returns where it listens, the
// folder that it writes to, and what it printed before. Where probe fails, it can't run.
func startExample(t *testing.T, probe []string, in string, command []string) (address, folder string, printed []string) {
	t.Helper()
	if os.Getenv("MXHOOK_INTEROP") == "skip" {
		t.Skip("MXHOOK_INTEROP=skip")
	}
	if out, err := exec.Command(probe[0], probe[1:]...).CombinedOutput(); err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatalf("%s can't run: %v\n%s", command[0], err, out)
		}
		t.Skipf("%s can't run here", command[0])
	}
	folder = t.TempDir()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = filepath.Join("..", "..", "examples", in)
	cmd.Env = append(os.Environ(), "MXHOOK_SECRET="+receiverSecret, "FOLDER="+folder, "PORT=0")
	output, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); w.Close() })
	lines := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(output); s.Scan(); {
			select {
			case lines <- s.Text():
			default: // nobody reads any more
			}
		}
	}()
	deadline := time.After(2 * patience)
	for {
		select {
		case line := <-lines:
			if _, after, ok := strings.Cut(line, "http://"); ok {
				address, _, _ = strings.Cut(strings.TrimSuffix(after, ") started"), "/")
				return address, folder, printed
			}
			printed = append(printed, line)
		case <-deadline:
			t.Fatalf("%s doesn't listen: %q", command[0], printed)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// wiretap stands between a bridge and a receiver, and keeps the last request.
type wiretap struct {
	*httptest.Server
	mu     sync.Mutex
	header http.Header
	body   []byte
}

func startWiretap(t *testing.T, address string) *wiretap {
	w := &wiretap{}
	onward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.header, w.body = r.Header.Clone(), body
		w.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		onward.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// again sends the last request once more, as change makes it, and returns the status.
func (w *wiretap) again(t *testing.T, address string, change func(h http.Header, body []byte) []byte) int {
	t.Helper()
	w.mu.Lock()
	header, body := w.header.Clone(), bytes.Clone(w.body)
	w.mu.Unlock()
	body = change(header, body)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/inbound", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	r.Header.Del("Content-Length")
	r.Header.Del("Content-Digest")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return answer.StatusCode
}

// signAt signs a request anew for a time.
func signAt(at time.Time, id string) func(h http.Header, body []byte) []byte {
	return func(h http.Header, body []byte) []byte {
		if id != "" {
			body = bytes.ReplaceAll(body, []byte(h.Get("webhook-id")), []byte(id))
			h.Set("webhook-id", id)
		}
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(receiverSecret, "whsec_"))
		h.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
		h.Set("webhook-signature", "v1,AAAA v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		return body
	}
}

// stored counts the files under a folder that hold exactly these octets.
func stored(t *testing.T, folder string, content []byte) (n int) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		got, err := os.ReadFile(path)
		if bytes.Equal(got, content) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestReceiverExamples: what stands in examples/receivers takes mail, believes nobody
// but who knows the secret, and keeps what comes again once.
func TestReceiverExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs of five languages")
	}
	pdf := []byte("%PDF-1.4 an invoice of this test\r\n%%EOF")
	message := []byte("From: Ann <ann@sender.example>\r\nTo: x@in.example\r\nSubject: invoice\r\nDate: " + time.Now().Format(time.RFC1123Z) +
		"\r\nMessage-ID: <receivers@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nIt is here.\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=\"../../invoice.pdf\"\r\n\r\n" + base64.StdEncoding.EncodeToString(pdf) + "\r\n--b--\r\n")
	for _, e := range receiverExamples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			address, folder := startReceiverExample(t, e)
			tap := startWiretap(t, address)
			b := startBridge(t, fmt.Sprintf("hostname: mx.in.example\nsinks:\n  app: {type: webhook, url: \"%s/inbound\", format: %s, secret: %q}\n  other: {type: webhook, url: \"%s/inbound\", format: %s, secret: whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcg==}\n"+
				"routes:\n  - {recipient: \"x@in.example\", deliver: [app]}\n  - {recipient: \"@in.example\", deliver: [other]}\n", tap.URL, e.format, receiverSecret, tap.URL, e.format))
			if reply := b.send(t, "ann@sender.example", "y@in.example", message); !strings.HasPrefix(reply, "451 4.3.5") {
				t.Errorf("with another secret: %s", reply)
			}
			if n := stored(t, folder, pdf); n != 0 {
				t.Fatalf("a stranger's attachment is stored")
			}
			if reply := b.send(t, "ann@sender.example", "x@in.example", message); !strings.HasPrefix(reply, "250 ") {
				t.Fatal(reply)
			}
			if n := stored(t, folder, pdf); n != 1 {
				t.Fatalf("the attachment is stored %d times", n)
			}

			now := time.Now()
			for what, c := range map[string]struct {
				status int
				change func(h http.Header, body []byte) []byte
			}{
				"the same request": {200, func(_ http.Header, body []byte) []byte { return body }},
				"another attempt":  {200, signAt(now.Add(time.Second), "")},
				"a changed body":   {401, func(_ http.Header, body []byte) []byte { return append(body, ' ') }},
				"a changed id": {401, func(h http.Header, body []byte) []byte {
					h.Set("webhook-id", "msg_aaaaaaaaaaaaaaaaaaaaaaaaaa")
					return body
				}},
				"a changed timestamp": {401, func(h http.Header, body []byte) []byte {
					h.Set("webhook-timestamp", fmt.Sprint(now.Unix()+1))
					return body
				}},
				"an old one":           {401, signAt(now.Add(-6*time.Minute), "")},
				"one from the future":  {401, signAt(now.Add(6*time.Minute), "")},
				"no signature":         {401, func(h http.Header, body []byte) []byte { h.Del("webhook-signature"); return body }},
				"an empty signature":   {401, func(h http.Header, body []byte) []byte { h.Set("webhook-signature", "v1,"); return body }},
				"no timestamp":         {401, func(h http.Header, body []byte) []byte { h.Del("webhook-timestamp"); return body }},
				"a timestamp of words": {401, func(h http.Header, body []byte) []byte { h.Set("webhook-timestamp", "now"); return body }},
			} {
				if got := tap.again(t, address, c.change); got != c.status {
					t.Errorf("%s: %d, want %d", what, got, c.status)
				}
			}
			if n := stored(t, folder, pdf); n != 1 {
				t.Errorf("after repeats the attachment is stored %d times", n)
			}

			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if got := tap.again(t, address, signAt(now, "msg_bbbbbbbbbbbbbbbbbbbbbbbbbb")); got >= 300 && got < 500 {
						t.Errorf("four at once: %d", got)
					}
				})
			}
			all.Wait()
			if n := stored(t, folder, pdf); n != 2 {
				t.Errorf("after four at once the attachment is stored %d times", n)
			}

			if e.makesFolder {
				return
			}
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
			if got := tap.again(t, address, signAt(now, "msg_cccccccccccccccccccccccccc")); got != 503 {
				t.Errorf("without a folder: %d", got)
			}
		})
	}
}
