package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// reference is what a payload says of something that is stored.
type reference struct {
	Size    int64
	SHA256  string
	Content *string
	URL     *string
}

// storeApp is an app that fetches everything that a payload names before it answers.
type storeApp struct {
	*app
	mu      sync.Mutex
	faults  []string
	fetched int
}

func startStoreApp(t testing.TB) *storeApp {
	a := &storeApp{app: startApp(t)}
	a.set(a.take)
	t.Cleanup(func() {
		for _, f := range a.faults {
			t.Error(f)
		}
	})
	return a
}

func (a *storeApp) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var p struct {
		Message struct{ Attachments []reference }
		Raw     reference
	}
	if err := json.Unmarshal(body, &p); err != nil {
		a.fault("%v", err)
	}
	all := p.Message.Attachments
	if p.Raw.URL != nil {
		all = append(all, p.Raw)
	}
	for _, f := range all {
		if f.URL == nil || f.Content != nil {
			a.fault("no URL, or a content beside it")
			continue
		}
		size, sum, err := fetch(*f.URL)
		if err != nil || size != f.Size || sum != f.SHA256 {
			a.fault("%s: %d octets, want %d, %v", *f.URL, size, f.Size, err)
		}
		a.mu.Lock()
		a.fetched++
		a.mu.Unlock()
	}
	a.got <- delivery{r, body}
}

func (a *storeApp) fault(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

func fetch(at string) (size int64, sum string, err error) {
	u, err := url.Parse(at)
	if err != nil {
		return 0, "", err
	}
	var r io.ReadCloser
	if u.Scheme == "file" {
		r, err = os.Open(u.Path)
	} else {
		var resp *http.Response
		if resp, err = http.Get(at); err == nil {
			r = resp.Body
		}
	}
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	h := sha256.New()
	size, err = io.Copy(h, r)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// storeConfig stores what app is sent, below %PATH%.
const storeConfig = `
hostname: mx.in.example
delivery: {ledger: 1h, budget: 20s}
sinks:
  app: {type: webhook, url: "%URL%/a", attempts: 1, circuit: {failures: 0}, include: {attachments: "store:files", raw: "store:files"}}
  second: {type: webhook, url: "%URL%/b", attempts: 1, circuit: {failures: 0}, include: {attachments: "store:files"}}
  each: {type: webhook, url: "%URL%/c", fan_out: recipient, include: {attachments: "store:files"}}
  files: {type: dir, path: "%PATH%"}
routes:
  - {name: two, recipient: "two@in.example", deliver: [app, second]}
  - {name: each, recipient: "each*@in.example", deliver: [each]}
  - {name: slow, recipient: "slow@in.example", deliver: [app], mode: spool}
  - {name: rest, recipient: "@in.example", deliver: [app]}
`

func storing(a *storeApp, path string) string {
	return strings.NewReplacer("%URL%", a.URL, "%PATH%", path).Replace(storeConfig)
}

// hostileFiles is a message whose files have names that lead elsewhere.
const hostileFiles = "From: Ann <ann@sender.example>\r\nTo: x@in.example\r\nMessage-ID: <files@sender.example>\r\nSubject: files\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n" +
	"--b\r\nContent-Type: application/pdf; name=\"../../../../etc/passwd\"\r\nContent-Disposition: attachment; filename=\"../../../../etc/passwd\"\r\n" +
	"Content-ID: <../../../evil>\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n" +
	"--b\r\nContent-Type: text/html; name=\"/tmp/evil\"\r\nContent-Disposition: attachment; filename*=utf-8''%2e%2e%2fraw\r\n\r\n<script>alert(1)</script>\r\n" +
	"--b\r\nContent-Type: application/octet-stream; name=\".mxhook-tmp\"\r\nContent-Disposition: attachment; filename=\"raw\"\r\n\r\n\r\n--b--\r\n"

// storedFiles are the files below path, without the temporary folder, which is empty.
func storedFiles(t testing.TB, path string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(path, p)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func under(id string, names ...string) (paths []string) {
	for _, n := range names {
		paths = append(paths, id+"/"+n)
	}
	return paths
}

func TestWhatAPayloadNamesIsThereBeforeTheRequest(t *testing.T) {
	a, root := startStoreApp(t), t.TempDir()
	path := filepath.Join(root, "a b", "files")
	b := startBridge(t, storing(a, path))
	id := accepted(t, b.send(t, "ann@sender.example", "any@in.example", []byte(hostileFiles)))
	a.only(t, b, id)
	if got, want := storedFiles(t, root), under("a b/files/"+editionOf(id, hostileFiles), "1", "2", "3", "raw"); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	raw, err := os.ReadFile(filepath.Join(path, editionOf(id, hostileFiles), "raw"))
	if err != nil || string(raw) != hostileFiles {
		t.Errorf("the message is not as it was sent: %q, %v", raw, err)
	}
	if a.fetched != 4 {
		t.Errorf("%d fetched", a.fetched)
	}
}

// editionOf names the bytes of an event, see sinks.Event's Edition.
func editionOf(id, message string) string {
	sum := sha256.Sum256([]byte(message))
	return id + "." + hex.EncodeToString(sum[:8])
}

func TestAWebServerOfTheFolderServesTheURLs(t *testing.T) {
	a, path := startStoreApp(t), t.TempDir()
	files := httptest.NewServer(http.StripPrefix("/mail/", http.FileServer(http.Dir(path))))
	defer files.Close()
	b := startBridge(t, strings.Replace(storing(a, path), `path: "`, `url: "`+files.URL+`/mail/", path: "`, 1))
	id := accepted(t, b.send(t, "ann@sender.example", "any@in.example", []byte(hostileFiles)))
	if d := a.next(t); !bytes.Contains(d.body, []byte(`"url":"`+files.URL+"/mail/"+editionOf(id, hostileFiles)+`/1"`)) || a.fetched != 4 {
		t.Errorf("%d fetched for %s", a.fetched, d.body)
	}
}

func TestTwoWebhooksShareAStore(t *testing.T) {
	a, path := startStoreApp(t), t.TempDir()
	b := startBridge(t, storing(a, path))
	id, shared := strings.CutSuffix(b.send(t, "ann@sender.example", "two@in.example", []byte(hostileFiles)), " +1")
	id = accepted(t, id)
	if !shared {
		t.Error("not two events")
	}
	for range 2 {
		if got := a.next(t).Header.Get("webhook-id"); got != id {
			t.Errorf("%s, want %s", got, id)
		}
	}
	if got, want := storedFiles(t, path), under(editionOf(id, hostileFiles), "1", "2", "3", "raw"); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func TestEachOf64RecipientsHasFilesOfItsOwn(t *testing.T) {
	a, path := startStoreApp(t), t.TempDir()
	b := startBridge(t, storing(a, path))
	var rcpts []string
	for i := range 64 {
		rcpts = append(rcpts, fmt.Sprintf("each%d@in.example", i))
	}
	if got := b.send(t, "ann@sender.example", strings.Join(rcpts, " "), []byte(hostileFiles)); !strings.HasPrefix(got, "250 2.0.0 OK ") {
		t.Fatal(got)
	}
	var want []string
	for range 64 {
		want = append(want, under(editionOf(a.next(t).Header.Get("webhook-id"), hostileFiles), "1", "2", "3")...)
	}
	slices.Sort(want)
	if got := storedFiles(t, path); !slices.Equal(got, want) || len(slices.Compact(want)) != 64*3 {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}

func TestAStoreThatFailsDefersTheMail(t *testing.T) {
	a, path := startStoreApp(t), filepath.Join(t.TempDir(), "path-canary")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	b := startBridge(t, storing(a, path))
	for range 2 {
		got := b.send(t, "ann@sender.example", "any@in.example", []byte(hostileFiles))
		if !strings.HasPrefix(got, "451 4.3.5 ") || strings.Contains(got, "canary") {
			t.Errorf("heard %q", got)
		}
	}
	slow := accepted(t, b.send(t, "ann@sender.example", "slow@in.example", []byte(hostileFiles))) // the spool is not the store
	if len(a.got) > 0 {
		t.Error("a request was sent without its files")
	}
	if strings.Contains(b.log.String(), "canary") || !strings.Contains(b.log.String(), "store files") {
		t.Errorf("the log: %s", b.log)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	id := accepted(t, b.send(t, "ann@sender.example", "any@in.example", []byte(hostileFiles)))
	want := map[string]bool{id: true, slow: true}
	for range 2 {
		d := a.next(t)
		if got := d.Header.Get("webhook-id"); !want[got] {
			t.Errorf("%s is delivered again", got)
		} else {
			delete(want, got)
		}
	}
}

func TestFilesThatAreDeletedBetweenTriesAreMadeAgain(t *testing.T) {
	for _, rcpt := range []string{"any@in.example", "slow@in.example"} {
		a, path := startStoreApp(t), t.TempDir()
		b := startBridge(t, storing(a, path))
		refused := make(chan bool, 1)
		a.set(func(w http.ResponseWriter, r *http.Request) { // the first try, with all files
			if n := len(storedFiles(t, path)); n != 4 {
				a.fault("%d files at the first try", n)
			}
			if err := os.RemoveAll(filepath.Join(path, r.Header.Get("webhook-id"))); err != nil {
				a.fault("%v", err)
			}
			a.set(a.take)
			answering(http.StatusServiceUnavailable)(w, r)
			refused <- true
		})
		reply := b.send(t, "ann@sender.example", rcpt, []byte(hostileFiles))
		<-refused
		if rcpt == "any@in.example" {
			if !strings.HasPrefix(reply, "451 ") {
				t.Errorf("heard %q", reply)
			}
			reply = b.send(t, "ann@sender.example", rcpt, []byte(hostileFiles))
		}
		id := accepted(t, reply)
		a.only(t, b, id)
		if got, want := storedFiles(t, path), under(editionOf(id, hostileFiles), "1", "2", "3", "raw"); !slices.Equal(got, want) {
			t.Errorf("files %v, want %v", got, want)
		}
	}
}

func TestReplayOfADeadEventMakesItsFilesAgain(t *testing.T) {
	a, path := startStoreApp(t), filepath.Join(t.TempDir(), "files")
	config := deadConfig(t, a.app)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`app: {type: webhook, `), fmt.Appendf(nil, "files: {type: dir, path: %q}\n  app: {type: webhook, include: {attachments: \"store:files\"}, ", path), 1)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	a.set(answering(http.StatusNotAcceptable))
	if got := replayIn(t, config, writeFile(t, "m.eml", hostileFiles), "--rcpt", "one@in.example"); !strings.HasPrefix(got.stdout, "250 ") {
		t.Fatalf("%+v", got)
	}
	if n := len(storedFiles(t, path)); n != 3 {
		t.Errorf("%d files", n)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	a.set(a.take)
	if got := replayIn(t, config, "--all"); got.status != exitGood {
		t.Fatalf("%+v", got)
	}
	p := startProcess(t, config)
	defer p.signal(t, syscall.SIGTERM)
	id := a.next(t).Header.Get("webhook-id")
	if got, want := storedFiles(t, path), under(editionOf(id, hostileFiles), "1", "2", "3"); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func TestKill9BetweenTheStoreAndTheAnswerLeavesOneSetOfFiles(t *testing.T) {
	a, path := startStoreApp(t), t.TempDir()
	config := processConfig(t, a.URL, "delivery: {ledger: 1h, budget: 20s}\nlimits: {disk_reserve: 0}\n")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`app: {type: webhook, `), fmt.Appendf(nil, "files: {type: dir, path: %q}\n  app: {type: webhook, include: {attachments: \"store:files\"}, ", path), 1)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	arrived := make(chan string, 1)
	a.set(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- r.Header.Get("webhook-id")
		<-r.Context().Done()
	})
	p := startProcess(t, config)
	m := mailing{server: p.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
	go m.send(t.Context(), strings.NewReader(hostileFiles))
	first := <-arrived
	p.signal(t, syscall.SIGKILL)
	p.exited(t)
	file := filepath.Join(path, editionOf(first, hostileFiles), "1")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	a.set(a.take)
	p = startProcess(t, config)
	m.server = p.smtp
	if _, err := m.send(t.Context(), strings.NewReader(hostileFiles)); err != nil {
		t.Fatal(err)
	}
	if got := a.next(t).Header.Get("webhook-id"); got != first {
		t.Errorf("%s, want %s", got, first)
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was written again: %v", err)
	}
	if got, want := storedFiles(t, path), under(editionOf(first, hostileFiles), "1", "2", "3"); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}
