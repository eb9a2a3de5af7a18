package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const interopConfig = `
hostname: mx.in.example
sinks:
  app: {type: webhook, url: "%URL%", attempts: 1}
routes:
  - {recipient: "@in.example", deliver: [app]}
`

const interopMessage = "From: Ann <ann@sender.example>\r\nTo: support@in.example\r\nSubject: interop\r\n" +
	"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <interop@sender.example>\r\n\r\nHello,\r\n.a line with a dot\r\n"

// A simple client is a program that sends one message and tells the result by its
// exit status.
var simpleClients = []struct {
	name string
	args func(t *testing.T, address, file string) []string
}{
	{"curl", func(t *testing.T, address, file string) []string {
		return []string{"-sS", "--noproxy", "*", "smtp://" + address + "/client.sender.example", "--mail-from", "ann@sender.example",
			"--mail-rcpt", "support@in.example", "--upload-file", file}
	}},
	{"swaks", func(t *testing.T, address, file string) []string {
		return []string{"--server", address, "--from", "ann@sender.example", "--to", "support@in.example",
			"--helo", "mail.sender.example", "--data", "@" + file, "--silent", "1"}
	}},
	{"msmtp", func(t *testing.T, address, file string) []string {
		return []string{"--host=127.0.0.1", "--port=" + port(t, address), "--from=ann@sender.example", "--auth=off",
			"--tls=off", "support@in.example"}
	}},
}

func TestSimpleClientsDeliver(t *testing.T) {
	for _, client := range simpleClients {
		t.Run(client.name, func(t *testing.T) {
			path := tool(t, client.name)
			a := startApp(t)
			b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
			file := filepath.Join(t.TempDir(), "message.eml")
			if err := os.WriteFile(file, []byte(interopMessage), 0o600); err != nil {
				t.Fatal(err)
			}
			send := func() error {
				cmd := exec.Command(path, client.args(t, b.smtp, file)...)
				cmd.Stdin = strings.NewReader(interopMessage)
				out, err := cmd.CombinedOutput()
				t.Logf("%s: %v\n%s", client.name, err, out)
				return err
			}
			if err := send(); err != nil {
				t.Fatal("the message was not taken:", err)
			}
			checkInterop(t, a.next(t))

			a.set(answering(http.StatusServiceUnavailable))
			if err := send(); err == nil {
				t.Error("the client takes the message for delivered while the webhook is down")
			}
			a.set(nil)
			if err := send(); err != nil {
				t.Error("the message was not taken after the webhook came back:", err)
			}
			checkInterop(t, a.next(t))
		})
	}
}

func checkInterop(t *testing.T, d delivery) {
	t.Helper()
	var p struct {
		Message struct {
			Subject string
			Text    string
		}
		Envelope struct {
			ReversePath string `json:"reverse_path"`
		}
	}
	if err := json.Unmarshal(d.body, &p); err != nil {
		t.Fatal(err)
	}
	if p.Message.Subject != "interop" || !strings.Contains(p.Message.Text, "\n.a line with a dot\n") || p.Envelope.ReversePath != "ann@sender.example" {
		t.Errorf("the payload is not what was sent: %+v", p)
	}
}
