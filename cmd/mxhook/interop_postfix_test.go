package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const postfixMain = `
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = %[1]s/maillog
maillog_file_prefixes = %[1]s
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.sender.example
mydestination =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_helo_name = mail.sender.example
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
%[2]s
`

const postfixMaster = `
postlog   unix-dgram n - n - 1 postlogd
pickup    unix  n - n 1 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 1 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
error     unix  - - n - - error
retry     unix  - - n - - error
smtp      unix  - - n - - smtp
lmtp      unix  - - y - - lmtp
showq     unix  n - n - - showq
scache    unix  - - n - 1 scache
`

// postfix is a real Postfix of the test's own: its queue and configuration lie in a
// folder of the test, and it listens nowhere.
type postfix struct {
	dir string
}

// startPostfix starts one with what main.cf shall say of its way to us.
func startPostfix(t *testing.T, transport string) *postfix {
	p := newPostfix(t)
	p.start(t, transport)
	return p
}

// newPostfix makes the folders of one that is to be started.
func newPostfix(t *testing.T) *postfix {
	tool(t, "postfix")
	if os.Getuid() != 0 {
		t.Skip("Postfix starts as root only")
	}
	// Postfix's users must reach the queue, so it can't lie beneath the test's own folder.
	dir, err := os.MkdirTemp("/tmp", "mxhook-postfix-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &postfix{dir: dir}
	for _, sub := range []string{"", "conf", "queue", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
		os.Chmod(filepath.Join(dir, sub), 0o755)
	}
	p.run(t, "chown", "postfix", filepath.Join(dir, "data"))
	return p
}

func (p *postfix) start(t *testing.T, transport string) {
	t.Helper()
	p.write(t, "main.cf", fmt.Sprintf(postfixMain, p.dir, transport))
	p.write(t, "master.cf", postfixMaster)
	p.run(t, tool(t, "postfix"), "-c", p.conf(), "start")
	t.Cleanup(func() {
		exec.Command(tool(t, "postfix"), "-c", p.conf(), "stop").Run()
		if t.Failed() {
			t.Logf("Postfix logged:\n%s", p.log(t))
		}
	})
}

func (p *postfix) log(t *testing.T) string {
	log, err := os.ReadFile(filepath.Join(p.dir, "maillog"))
	if err != nil {
		t.Error(err)
	}
	return string(log)
}

func (p *postfix) conf() string { return filepath.Join(p.dir, "conf") }

func (p *postfix) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.conf(), name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *postfix) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// submit puts a message into the queue.
func (p *postfix) submit(t *testing.T, message string, rcpts ...string) {
	t.Helper()
	cmd := exec.Command(tool(t, "sendmail"), append([]string{"-C", p.conf(), "-f", "ann@sender.example"}, rcpts...)...)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(message, "\r\n", "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sendmail: %v\n%s", err, out)
	}
}

func (p *postfix) queue(t *testing.T) string {
	return p.run(t, tool(t, "postqueue"), "-c", p.conf(), "-p")
}

func TestPostfixKeepsTheMessageWhileTheWebhookIsDown(t *testing.T) {
	tool(t, "postfix")
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
	p := startPostfix(t, "relayhost = [127.0.0.1]:"+port(t, b.smtp))

	p.submit(t, interopMessage, "support@in.example")
	checkInterop(t, a.next(t))

	a.set(answering(http.StatusServiceUnavailable))
	p.submit(t, interopMessage, "support@in.example")
	b.await(t, "message deferred")
	b.await(t, "message deferred") // Postfix tries again by itself
	if queue := p.queue(t); !strings.Contains(queue, "451 4.4.5") {
		t.Errorf("the queue does not show the reply:\n%s", queue)
	}
	a.set(nil)
	checkInterop(t, a.next(t))
	b.await(t, "message accepted")

	if log := p.log(t); strings.Contains(log, "status=bounced") {
		t.Errorf("Postfix bounced a message:\n%s", log)
	}
	if len(a.got) > 0 {
		t.Errorf("%d more deliveries than messages", len(a.got))
	}
}
