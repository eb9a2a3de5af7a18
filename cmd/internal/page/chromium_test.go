package page_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for something that must happen.
const patience = 60 * time.Second

// browser is a headless Chromium that is driven over a pair of pipes by its DevTools
// protocol: messages of JSON, each ended by a NUL.
type browser struct {
	out  io.Writer
	done chan struct{} // closed when the browser ended
	news chan struct{} // has one when something happened since it was taken

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	tabs    map[string]*tab // by session, also of frames that are targets of their own
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// tab is a document with all that its browser logged of it and of its frames.
type tab struct {
	t       *testing.T
	b       *browser
	session string
	log     *tabLog
}

// tabLog is what a tab and its frames did. The browser's mu guards it.
type tabLog struct {
	requests  map[string]string // by id
	blocked   map[string]string // by id: why
	responses []string          // addresses that answered
	problems  []string          // exceptions and messages on the console
	dialogs   int
	frames    int
}

// chromium starts a browser, or skips the test.
func chromium(t *testing.T, more ...string) *browser {
	t.Helper()
	if os.Getenv("MXHOOK_INTEROP") == "skip" {
		t.Skip("MXHOOK_INTEROP=skip")
	}
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	theirsIn, oursOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	oursIn, theirsOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	arguments := append([]string{"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + profile, "--no-first-run", "--disable-gpu",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--no-default-browser-check",
		"--disable-dev-shm-usage", "--hide-scrollbars", "--password-store=basic", "--disable-features=Translate,OptimizationHints,MediaRouter"}, more...)
	if os.Getuid() == 0 { // its own sandbox refuses root
		arguments = append(arguments, "--no-sandbox")
	}
	c := exec.Command(program, append(arguments, "about:blank")...)
	c.ExtraFiles = []*os.File{theirsIn, theirsOut}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirsIn.Close()
	theirsOut.Close()
	b := &browser{out: oursOut, done: make(chan struct{}), news: make(chan struct{}, 1), waiting: map[int]chan answer{}, tabs: map[string]*tab{}}
	go b.read(oursIn)
	t.Cleanup(func() {
		b.send("", "Browser.close", nil)
		oursOut.Close()
		timer := time.AfterFunc(patience, func() { c.Process.Kill() })
		defer timer.Stop()
		c.Wait()
		<-b.done
		oursIn.Close()
		os.RemoveAll(profile)
	})
	return b
}

// read takes what the browser says until it ends.
func (b *browser) read(in io.Reader) {
	defer close(b.done)
	r := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			for id, c := range b.waiting {
				close(c)
				delete(b.waiting, id)
			}
			return
		}
		var m struct {
			ID        int
			SessionID string `json:"sessionId"`
			Method    string
			Params    json.RawMessage
			answer
		}
		if json.Unmarshal(line[:len(line)-1], &m) != nil {
			continue
		}
		if m.ID != 0 {
			b.mu.Lock()
			c := b.waiting[m.ID]
			delete(b.waiting, m.ID)
			b.mu.Unlock()
			if c != nil {
				c <- m.answer
			}
			continue
		}
		b.happened(m.SessionID, m.Method, m.Params)
	}
}

// happened notes an event of the browser.
func (b *browser) happened(session, method string, params json.RawMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tab := b.tabs[session]
	if tab == nil {
		return
	}
	log := tab.log
	defer func() {
		select {
		case b.news <- struct{}{}:
		default:
		}
	}()
	var p struct {
		RequestID     string `json:"requestId"`
		DocumentURL   string `json:"documentURL"`
		BlockedReason string `json:"blockedReason"`
		ErrorText     string `json:"errorText"`
		Request       struct{ URL string }
		Response      struct{ URL string }
		SessionID     string `json:"sessionId"`
		Entry         struct{ Source, Text string }
		Type          string
		Exception     json.RawMessage `json:"exceptionDetails"`
		Args          []struct{ Value any }
	}
	json.Unmarshal(params, &p)
	switch method {
	case "Network.requestWillBeSent":
		log.requests[p.RequestID] = p.Request.URL
	case "Network.loadingFailed":
		log.blocked[p.RequestID] = p.BlockedReason + " " + p.ErrorText
	case "Network.responseReceived":
		log.responses = append(log.responses, p.Response.URL)
	case "Network.webSocketCreated", "Network.webTransportCreated":
		log.problems = append(log.problems, method)
	case "Runtime.exceptionThrown":
		log.problems = append(log.problems, "exception "+string(p.Exception))
	case "Runtime.consoleAPICalled":
		log.problems = append(log.problems, fmt.Sprint("console ", p.Args))
	case "Page.javascriptDialogOpening":
		log.dialogs++
		go b.send(session, "Page.handleJavaScriptDialog", map[string]any{"accept": true})
	case "Target.attachedToTarget": // a frame with a process of its own, which waits
		frame := *tab
		frame.session = p.SessionID
		b.tabs[p.SessionID] = &frame
		log.frames++
		go b.watch(p.SessionID)
	}
}

// watch lets a target log all that it does, and go on.
func (b *browser) watch(session string) {
	for _, domain := range []string{"Network", "Runtime", "Page"} {
		b.send(session, domain+".enable", nil)
	}
	b.send(session, "Target.setAutoAttach", map[string]any{"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true})
	b.send(session, "Runtime.runIfWaitingForDebugger", nil)
}

// send sends a command and waits for its result.
func (b *browser) send(session, method string, params any) (json.RawMessage, error) {
	c := make(chan answer, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = c
	m := map[string]any{"id": id, "method": method}
	if params != nil {
		m["params"] = params
	}
	if session != "" {
		m["sessionId"] = session
	}
	text, err := json.Marshal(m)
	if err == nil {
		_, err = b.out.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case a, ok := <-c:
		if !ok {
			return nil, errors.New("the browser ended")
		}
		if a.Error != nil {
			return nil, errors.New(method + ": " + a.Error.Message)
		}
		return a.Result, nil
	case <-b.done:
		return nil, errors.New("the browser ended")
	case <-time.After(patience):
		return nil, errors.New(method + ": no answer")
	}
}

// open opens an empty tab.
func (b *browser) open(test *testing.T) *tab {
	test.Helper()
	var made struct {
		TargetID string `json:"targetId"`
	}
	t := &tab{t: test, b: b, log: &tabLog{requests: map[string]string{}, blocked: map[string]string{}}}
	t.must("", "Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	t.must("", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &attached)
	t.session = attached.SessionID
	b.mu.Lock()
	b.tabs[t.session] = t
	b.mu.Unlock()
	b.watch(t.session)
	test.Cleanup(func() { b.send("", "Target.closeTarget", map[string]any{"targetId": made.TargetID}) })
	return t
}

func (t *tab) must(session, method string, params, result any) {
	t.t.Helper()
	raw, err := t.b.send(session, method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(raw, result)
	}
	if err != nil {
		t.t.Fatal(err)
	}
}

func (t *tab) do(method string, params any) {
	t.t.Helper()
	t.must(t.session, method, params, nil)
}

// eval evaluates an expression, waiting for it when it is a promise.
func (t *tab) eval(expression string) any {
	t.t.Helper()
	var r struct {
		Result  struct{ Value any }
		Details *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	t.must(t.session, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	if r.Details != nil {
		t.t.Fatalf("%s: %s %s", expression, r.Details.Text, r.Details.Exception.Description)
	}
	return r.Result.Value
}

// wait waits until an expression holds. It may be evaluated while a document is going.
func (t *tab) wait(expression string) {
	t.t.Helper()
	began := time.Now()
	for {
		raw, err := t.b.send(t.session, "Runtime.evaluate", map[string]any{"awaitPromise": true, "returnByValue": true, "expression": `new Promise(done => {
			const began = Date.now(), look = () => { let good = false; try { good = !!(` + expression + `) } catch {} if (good || Date.now() - began > 5000) done(good); else setTimeout(look, 20) };
			look() })`})
		var r struct{ Result struct{ Value any } }
		if err == nil && json.Unmarshal(raw, &r) == nil && r.Result.Value == true {
			return
		}
		if time.Since(began) > patience {
			t.t.Fatalf("it never came that %s; the page has: %.2000v", expression, t.eval("document.body.innerText"))
		}
	}
}

// visit loads an address and waits until it stands.
func (t *tab) visit(url string) {
	t.t.Helper()
	t.do("Page.navigate", map[string]any{"url": url})
	t.wait(fmt.Sprintf("location.href === %q && document.readyState === 'complete'", url))
}

// key presses and releases a key.
func (t *tab) key(name string, code int, text string) {
	t.t.Helper()
	down := map[string]any{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": code}
	if text != "" {
		down["text"] = text
	}
	t.do("Input.dispatchKeyEvent", down)
	t.do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "code": name, "windowsVirtualKeyCode": code})
}

// size sets the window and its colours.
func (t *tab) size(width, height int, scheme string) {
	t.t.Helper()
	t.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
	t.do("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}})
}

// shoot writes a picture for a person to look at, where MXHOOK_SCREENSHOTS names a folder.
func (t *tab) shoot(name string) {
	t.t.Helper()
	folder := os.Getenv("MXHOOK_SCREENSHOTS")
	if folder == "" {
		return
	}
	var r struct{ Data string }
	t.must(t.session, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": !strings.HasPrefix(name, "html-")}, &r)
	png, err := base64.StdEncoding.DecodeString(r.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644)
	}
	if err != nil {
		t.t.Error(err)
	}
}

// seen returns what the browser logged of the tab.
func (t *tab) seen() tabLog {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	l := *t.log
	l.requests, l.blocked = map[string]string{}, map[string]string{}
	for k, v := range t.log.requests {
		l.requests[k] = v
	}
	for k, v := range t.log.blocked {
		l.blocked[k] = v
	}
	return l
}
