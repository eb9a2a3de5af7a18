package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test's own binary be mxhook, so that signals and exit statuses
// are tested on a real process.
const asProgram = "MXHOOK_TEST_AS_PROGRAM"

// maxFiles is how many files that process may have open.
const maxFiles = "MXHOOK_TEST_MAX_FILES"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if n, err := strconv.ParseUint(os.Getenv(maxFiles), 10, 64); err == nil {
			if err := limitFiles(n); err != nil {
				panic(err)
			}
		}
		main()
	}
	os.Exit(m.Run())
}

// process is a running `mxhook serve`.
type process struct {
	cmd   *exec.Cmd
	log   logLines
	smtp  string
	exit  chan error
	began time.Duration // how long it took until it listened
}

// startProcess runs serve with a configuration and more environment.
func startProcess(t *testing.T, config string, env ...string) *process {
	t.Helper()
	begin := time.Now()
	p := startMember(t, config, env...)
	p.smtp = p.await(t, "listening")["address"].(string)
	p.began = time.Since(begin)
	return p
}

// startMember runs serve with a configuration, and doesn't wait until it listens.
func startMember(t *testing.T, config string, env ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "serve", "--config", config)
	cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, log: logLines{arrived: make(chan bool, 1)}, exit: make(chan error, 1)}
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			p.log.add(lines.Text())
		}
		p.exit <- cmd.Wait()
	}()
	t.Cleanup(func() { cmd.Process.Kill() })
	return p
}

// await returns the next log entry with the message.
func (p *process) await(t *testing.T, message string) map[string]any {
	t.Helper()
	deadline := time.After(patience)
	for {
		if entry := p.log.next(message); entry != nil {
			return entry
		}
		select {
		case <-p.log.arrived:
		case err := <-p.exit:
			if entry := p.log.next(message); entry != nil {
				p.exit <- err
				return entry
			}
			t.Fatalf("the process ended while %q was awaited: %v\n%s", message, err, p.log.tail())
		case <-deadline:
			t.Fatalf("%q was not logged:\n%s", message, p.log.tail())
		}
	}
}

// logLines are the lines that a process has logged and nobody has read. The process
// never waits for a reader.
type logLines struct {
	mu      sync.Mutex
	lines   []string
	last    []string // the last ones, read or not
	arrived chan bool
}

func (l *logLines) add(line string) {
	l.mu.Lock()
	l.lines, l.last = append(l.lines, line), append(l.last, line)
	if len(l.last) > 200 {
		l.last = l.last[100:]
	}
	l.mu.Unlock()
	select {
	case l.arrived <- true:
	default:
	}
}

// next takes lines up to the first with the message, and returns that one, or nil.
func (l *logLines) next(message string) map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, line := range l.lines {
		var entry map[string]any
		if strings.Contains(line, message) && json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == message {
			l.lines = l.lines[i+1:]
			return entry
		}
	}
	l.lines = nil
	return nil
}

// tail returns the last lines.
func (l *logLines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (p *process) exited(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.exit:
		return err
	case <-time.After(patience):
		t.Fatal("the process does not end")
		panic("unreachable")
	}
}

func processConfig(t *testing.T, url, extra string) string {
	dir := t.TempDir()
	path := filepath.Join(dir, "mxhook.yaml")
	rewrite(t, path, url, extra)
	return path
}

func rewrite(t *testing.T, path, url, extra string) {
	t.Helper()
	if !strings.Contains(extra, "delivery:") {
		extra += "delivery: {ledger: 0}\n" // the same message is sent again and again
	}
	if !strings.Contains(extra, "limits:") {
		extra += "limits: {disk_reserve: 0}\n" // a full disk of the machine is no fault of ours
	}
	text := fmt.Sprintf(`hostname: mx.in.example
state: %q
log: {format: json}
listeners: [{address: "127.0.0.1:0", tls: {mode: none}}]
verify: {resolver: ["127.0.0.1:1"], timeout: 1s}
sinks:
  app: {type: webhook, url: "%s"}
routes:
  - {recipient: "@in.example", deliver: [app]}
%s`, filepath.Dir(path), url, extra)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSIGTERMEndsRunningTransactionsWithTheirTrueReply(t *testing.T) {
	a := startApp(t)
	reached, proceed := make(chan bool), make(chan bool)
	a.set(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		reached <- true
		<-proceed
	})
	p := startProcess(t, processConfig(t, a.URL, ""))

	idle, err := net.Dial("tcp", p.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	greeting := bufio.NewReader(idle)
	if line, err := greeting.ReadString('\n'); err != nil || !strings.HasPrefix(line, "220 ") {
		t.Fatal(line, err)
	}
	reply := make(chan string, 1)
	go func() {
		m := mailing{server: p.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
		text, err := m.send(context.Background(), strings.NewReader(smallMessage))
		reply <- fmt.Sprint(text, err)
	}()
	<-reached
	p.signal(t, syscall.SIGTERM)
	p.signal(t, syscall.SIGTERM) // as supervisors do that signal the group, too
	if line, _ := greeting.ReadString('\n'); !strings.HasPrefix(line, "421 4.3.2 ") {
		t.Errorf("the idle session heard %q", line)
	}
	if conn, err := net.Dial("tcp", p.smtp); err == nil {
		conn.SetDeadline(time.Now().Add(patience))
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && !strings.HasPrefix(line, "421 ") {
			t.Errorf("a new session heard %q", line)
		}
		conn.Close()
	}
	close(proceed)
	if got := <-reply; !strings.HasPrefix(got, "250 2.0.0 OK msg_") {
		t.Errorf("the running transaction heard %q", got)
	}
	if err := p.exited(t); err != nil {
		t.Errorf("exit: %v", err)
	}
}

func TestSIGHUPTakesAGoodConfigurationAndKeepsTheOldForAFaultyOne(t *testing.T) {
	before, after := startApp(t), startApp(t)
	path := processConfig(t, before.URL, "")
	p := startProcess(t, path)
	send := func() {
		t.Helper()
		m := mailing{server: p.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
		if _, err := m.send(t.Context(), strings.NewReader(smallMessage)); err != nil {
			t.Fatal(err)
		}
	}
	send()
	before.next(t)

	rewrite(t, path, before.URL, "nonsense: 1\n")
	p.signal(t, syscall.SIGHUP)
	p.await(t, "configuration not reloaded, the old one stays")
	send()
	before.next(t)

	rewrite(t, path, after.URL, "limits: {recipients: 7, disk_reserve: 0}\n")
	p.signal(t, syscall.SIGHUP)
	if key := p.await(t, "a change needs a restart")["key"]; key != "limits" {
		t.Errorf("the key that needs a restart is %v", key)
	}
	p.await(t, "configuration reloaded")
	send()
	after.next(t)
	if len(before.got) > 0 {
		t.Error("the old sink was used after the reload")
	}
	p.signal(t, syscall.SIGINT)
	if err := p.exited(t); err != nil {
		t.Errorf("exit: %v", err)
	}
}

func TestDevelopmentDefaultsTakeAnybodysMail(t *testing.T) {
	t.Chdir(t.TempDir())
	cmd := exec.Command(os.Args[0], "serve", "--listen", "127.0.0.1:0", "--domain", "in.example")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Skip("the admin port of the development defaults is taken by another program:", err)
	}
	smtp := strings.Fields(strings.TrimPrefix(line, "mxhook takes mail on "))[0]
	m := mailing{server: smtp, helo: "localhost", from: "ann@sender.example", rcpts: []string{"x@in.example"}}
	if _, err := m.send(t.Context(), strings.NewReader(smallMessage)); err != nil {
		t.Fatal(err)
	}
	m.rcpts = []string{"x@elsewhere.example"}
	if _, err := m.send(t.Context(), strings.NewReader(smallMessage)); err == nil {
		t.Error("--domain does not narrow the domains")
	}
	for _, pattern := range []string{"*.eml", "*.json"} {
		if files, _ := filepath.Glob(filepath.Join("mxhook-data", "mail", pattern)); len(files) != 1 {
			t.Errorf("%s: %v", pattern, files)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
}
