package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestSwaksSpeaksLMTP(t *testing.T) {
	path := tool(t, "swaks")
	for _, name := range []string{"unix socket", "TCP"} {
		t.Run(name, func(t *testing.T) {
			a := startApp(t)
			a.answerEach(http.StatusServiceUnavailable)
			listeners, socket := unixListener(t)
			to := []string{"--socket", socket}
			if name == "TCP" {
				listeners = "\nlisteners: [{address: \"127.0.0.1:0\", kind: lmtp}]\n"
			}
			b := startBridge(t, strings.ReplaceAll(eachConfig, "%URL%", a.URL)+listeners)
			if name == "TCP" {
				to = []string{"--server", b.smtp}
			}
			file := filepath.Join(t.TempDir(), "message.eml")
			if err := os.WriteFile(file, []byte(interopMessage), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append(to, "--protocol", "LMTP", "--from", "ann@sender.example", "--helo", "relay.in.example", "--data", "@"+file,
				"--to", "support@in.example,never@in.example,later@in.example")
			out, err := exec.Command(path, args...).CombinedOutput()
			said := string(out)
			if !regexp.MustCompile(`(?s)250 2\.0\.0 OK msg_.*550 5\.7\.1 .*451 4\.4\.5 `).MatchString(said) {
				t.Fatalf("%v\n%s", err, said)
			}
			checkInterop(t, a.next(t))
		})
	}
}

// TestPostfixTellsEachRecipientItsOwn has one transaction of a real Postfix, set up as
// examples/configs/behind-postfix.yaml says: one recipient is accepted, one refused, one
// deferred and later accepted.
func TestPostfixTellsEachRecipientItsOwn(t *testing.T) {
	p := newPostfix(t)
	folder := filepath.Join(p.dir, "queue", "mxhook")
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	p.run(t, "chgrp", "postfix", folder)
	p.run(t, "chmod", "2750", folder)
	a := startApp(t)
	a.answerEach(http.StatusServiceUnavailable)
	listeners := fmt.Sprintf("\nlisteners: [{address: %q, kind: lmtp}]\n", "unix:"+filepath.Join(folder, "lmtp.sock"))
	b := startBridge(t, strings.ReplaceAll(eachConfig, "%URL%", a.URL)+listeners)
	p.start(t, "default_transport = lmtp:unix:mxhook/lmtp.sock\nlmtp_destination_recipient_limit = 50")

	p.submit(t, interopMessage, "support@in.example", "never@in.example", "later@in.example")
	checkInterop(t, a.next(t))
	b.await(t, "message deferred")
	b.await(t, "message deferred") // Postfix tries the one that is left by itself
	queue := p.queue(t)
	if !strings.Contains(queue, "451 4.4.5") || !strings.Contains(queue, "later@in.example") ||
		strings.Contains(queue, "support@in.example") || strings.Contains(queue, "never@in.example") {
		t.Errorf("the queue:\n%s", queue)
	}
	a.answerEach(http.StatusOK)
	checkInterop(t, a.next(t))
	b.await(t, "message accepted")
	p.run(t, tool(t, "postfix"), "-c", p.conf(), "stop") // writes its log to the end
	log := p.log(t)
	for _, want := range []string{
		`to=<support@in\.example>, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 OK msg_`,
		`to=<never@in\.example>, .*dsn=5\.7\.1, status=bounced \(host .* said: 550 5\.7\.1 `,
		`to=<later@in\.example>, .*dsn=4\.4\.5, status=deferred \(host .* said: 451 4\.4\.5 `,
		`to=<later@in\.example>, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 OK msg_`,
	} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("Postfix has not logged %s", want)
		}
	}
	if strings.Count(log, "status=sent (250 2.0.0 OK msg_") != 2 || strings.Count(log, "to=<never@in.example>") != 1 || len(a.got) > 0 {
		t.Errorf("more was tried or delivered than was due; %d deliveries are left", len(a.got))
	}
	t.Log(regexp.MustCompile(`(?m)^.*status=.*$`).FindAllString(log, -1))
}
