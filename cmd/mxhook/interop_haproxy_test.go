package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// startHAProxy runs a HAProxy of the test's own before a server, and returns where it
// listens: a descriptor that it inherits. With the option "check" it asks for the
// server's health by SMTP all the while.
func startHAProxy(t *testing.T, server, option string) string {
	path := tool(t, "haproxy")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	inherited, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	text := fmt.Sprintf(`
global
	log stdout format raw daemon
defaults
	log global
	option log-health-checks
	mode tcp
	timeout connect 10s
	timeout check 30s
	timeout client 1m
	timeout server 1m
frontend smtp
	bind fd@3
	default_backend mx
backend mx
	option smtpchk EHLO check.sender.example
	server mx %s %s
`, server, option)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-db", "-f", file)
	cmd.ExtraFiles = []*os.File{inherited}
	out := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("HAProxy wrote:\n%s", out)
		}
	})
	if strings.Contains(option, "check") {
		awaitText(t, out, "Layer7 check passed")
	}
	return ln.Addr().String()
}

// Behind a HAProxy the peer is its client, in clear and over TLS, and its health checks
// succeed.
func TestHAProxyTellsTheTruePeer(t *testing.T) {
	for _, option := range []string{"send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"} {
		for _, mode := range []string{"starttls", "implicit"} {
			t.Run(option+", "+mode, func(t *testing.T) {
				server := option
				if mode == "starttls" {
					server += " check check-send-proxy inter 100ms"
				}
				a := startApp(t)
				yaml := strings.Replace(tlsConfig(t, mode, a.URL), `address: "127.0.0.1:0"`, `address: "127.0.0.1:0", proxy_protocol: ["127.0.0.1"]`, 1)
				b := startBridge(t, yaml)
				at := startHAProxy(t, b.smtp, server)
				client := []string{"-sS", "-k", "--noproxy", "*", "--interface", "127.0.0.5", "--mail-from", "ann@sender.example",
					"--mail-rcpt", "support@in.example", "--upload-file", "-"}
				scheme := map[string]string{"starttls": "smtp://", "implicit": "smtps://"}[mode]
				if mode == "starttls" {
					client = append(client, "--ssl-reqd")
				}
				cmd := exec.Command(tool(t, "curl"), append(client, scheme+at)...)
				cmd.Stdin = strings.NewReader(smallMessage)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s\n%s", err, out, b.log)
				}
				if p := a.next(t).document(t); p.Envelope.RemoteIP != "127.0.0.5" || p.Envelope.Protocol != "ESMTPS" {
					t.Errorf("the envelope is %+v", p.Envelope)
				}
			})
		}
	}
}

// awaitText waits until a program has written text.
func awaitText(t *testing.T, out *syncBuffer, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(out.String(), text); {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in what was written:\n%s", text, out)
		}
		runtime.Gosched()
	}
}
