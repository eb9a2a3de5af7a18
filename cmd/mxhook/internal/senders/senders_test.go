package senders

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"golang.org/x/tools/txtar"
)

// mail is a message and its envelope. Lines end with CR LF.
type mail struct{ name, from, to, text string }

func message(name, from, to, fields, body string) mail {
	return mail{name, from, to, "From: Ann <" + from + ">\r\nTo: <" + to + ">\r\nSubject: " + name +
		"\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <" + name + "@sender.example>\r\nX-Test: " + name + "\r\n" + fields + "\r\n" + body}
}

const (
	ann  = "ann@sender.example"
	to   = "support@in.example"
	mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
)

var mails = []mail{
	message("small", ann, to, "", "Hello,\r\n.a line with a dot\r\n..two\r\n.\r\n \r\nFrom a line\r\nblanks at the end  \r\n\r\n\r\n"),
	message("8bit", ann, to, mime+"8bit\r\n", "Grüße, 你好\r\n.ü\r\n"),
	message("utf8", "jörg@sender.example", "grüße@in.example", mime+"8bit\r\nX-Name: Jörg Müller\r\n", "Grüße\r\n"),
	message("big", ann, to, "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n",
		strings.Repeat(strings.Repeat("YWJj", 19)+"\r\n", 20<<20/78+1)),
}

// sender is a file of testdata: properties, files, and shell scripts.
//
//	package: NAME   the Debian package, unpacked in a root of its own; none: this machine's programs
//	needs: PROGRAM  on this machine
//	root: own       though it needs no package
//	tls: yes        it can STARTTLS
//	utf8: yes       it can SMTPUTF8
//	start           starts the daemon
//	send            takes a message on its input, from $FROM for $TO
//	flush           makes it try again now
//	empty           succeeds when the queue is empty
//
// A sender without flush has no queue: send fails when the message is not taken.
// Other sections are files. All are templates: .Port, and .TLS which says whether the
// sender shall insist on TLS as far as it can.
type sender struct {
	name  string
	is    map[string]string
	files []txtar.File
}

func senders(t *testing.T) []sender {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no senders", err)
	}
	var all []sender
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := sender{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), is: map[string]string{}, files: a.Files}
		for _, m := range regexp.MustCompile(`(?m)^(package|needs|root|tls|utf8): (\S+)$`).FindAllStringSubmatch(string(a.Comment), -1) {
			s.is[m[1]] = m[2]
		}
		all = append(all, s)
	}
	return all
}

// script returns a section for a port.
func (s sender) script(t *testing.T, name, port string, secure bool) string {
	t.Helper()
	i := slices.IndexFunc(s.files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		return ""
	}
	var b strings.Builder
	tmpl, err := template.New(name).Parse(string(s.files[i].Data))
	if err == nil {
		err = tmpl.Execute(&b, struct {
			Port string
			TLS  bool
		}{port, secure})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// open makes the place where the sender runs, with its files, and starts it.
func (s sender) open(t *testing.T, port string, secure bool) *root {
	t.Helper()
	if program := s.is["needs"]; program != "" {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program)
		}
	}
	archives := ""
	if s.is["package"] != "" {
		archives = filepath.Join(os.Getenv("MXHOOK_SENDERS"), s.name)
		if debs, _ := filepath.Glob(filepath.Join(archives, "*.deb")); os.Getenv("MXHOOK_SENDERS") == "" || len(debs) == 0 {
			missing(t, s.is["package"]+": fetch it by .ci/senders FOLDER and set MXHOOK_SENDERS=FOLDER")
		}
	}
	r := &root{}
	if archives != "" || s.is["root"] == "own" {
		r = newRoot(t, archives)
		r.write(t, "etc/hosts", "127.0.0.1 localhost\n127.0.0.1 mail.sender.example mail\n")
		r.write(t, "etc/mailname", "mail.sender.example\n")
		r.write(t, "etc/resolv.conf", "nameserver 127.0.0.1\n") // nobody answers there
		for _, f := range s.files {
			if strings.Contains(f.Name, "/") {
				r.write(t, f.Name, s.script(t, f.Name, port, secure))
			}
		}
	}
	if start := s.script(t, "start", port, secure); start != "" {
		// A daemon keeps its output open, so that goes to a file.
		if out, err := r.run(t, "(set -e\n"+start+") >/tmp/started 2>&1 || { cat /tmp/started; exit 1; }", ""); err != nil {
			t.Fatalf("start: %v\n%s", err, out)
		}
	}
	return r
}

func TestSendersDeliverWhatWasDeferredTwice(t *testing.T) {
	for _, s := range senders(t) {
		for _, secure := range []bool{false, true} {
			if secure && s.is["tls"] == "" {
				continue
			}
			t.Run(s.name+map[bool]string{false: "/clear", true: "/STARTTLS"}[secure], func(t *testing.T) {
				t.Parallel()
				s.deliver(t, secure)
			})
		}
	}
}

func (s sender) deliver(t *testing.T, secure bool) {
	a := startApp(t, 2)
	bridge := startBridge(t, a, secure, "")
	w := startWire(t, bridge)
	port := portOf(t, w.address)
	r := s.open(t, port, secure)
	var sent []mail
	for _, m := range mails {
		if m.name == "utf8" && s.is["utf8"] == "" {
			continue
		}
		sent = append(sent, m)
		s.send(t, r, port, secure, a, m)
	}
	if s.script(t, "flush", port, secure) != "" {
		s.awaitEmpty(t, r, a, port, func() bool { return a.arrived() == len(sent) })
	}
	var wired []string
	if !secure {
		wired = w.messages()
	}
	for _, m := range sent {
		check(t, m, a.copies(m.name), wired, secure)
	}
}

// send hands a message over, and without a queue again until it is taken.
func (s sender) send(t *testing.T, r *root, port string, secure bool, a *app, m mail) {
	t.Helper()
	script, text := s.script(t, "send", port, secure), m.text
	queues := s.script(t, "flush", port, secure) != ""
	if queues || strings.Contains(script, "#LF") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	for try := 0; ; try++ {
		out, err := r.run(t, script, text, "FROM="+m.from, "TO="+m.to, "NAME="+m.name)
		switch {
		case queues && err != nil:
			t.Fatalf("%s: %v\n%s", m.name, err, out)
		case queues || err == nil && try == a.deferrals:
			return
		case err == nil:
			t.Fatalf("%s: taken for delivered when it was deferred\n%s", m.name, out)
		case try == a.deferrals:
			t.Fatalf("%s: %v\n%s", m.name, err, out)
		}
	}
}

// awaitEmpty flushes the queue until everything is here and the queue is empty. That
// alone doesn't tell: a queue that moves a message may look empty.
func (s sender) awaitEmpty(t *testing.T, r *root, a *app, port string, here func() bool) {
	t.Helper()
	flush, empty := s.script(t, "flush", port, false), s.script(t, "empty", port, false)
	deadline := time.After(patience)
	again := time.NewTicker(300 * time.Millisecond)
	defer again.Stop()
	for {
		if here() {
			if _, err := r.run(t, empty, ""); err == nil {
				return
			}
		} else if out, err := r.run(t, flush, ""); err != nil {
			t.Fatalf("flush: %v\n%s", err, out)
		}
		select {
		case <-a.came:
		case <-again.C:
		case <-deadline:
			state, _ := r.run(t, s.script(t, "state", "", false), "")
			t.Fatalf("%d messages came, and the queue is:\n%s", a.arrived(), state)
		}
	}
}
