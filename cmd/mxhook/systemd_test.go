package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inheriting runs serve with sockets as systemd hands them over: from descriptor 3 on,
// named, and for the process that is started.
func inheriting(t *testing.T, config, names string, sockets ...net.Listener) (*exec.Cmd, *syncBuffer) {
	t.Helper()
	const asSystemd = `LISTEN_PID=$$ exec "$0" serve --config "$1"`
	cmd := exec.Command("/bin/sh", "-c", asSystemd, os.Args[0], config)
	cmd.Env = append(os.Environ(), asProgram+"=1", fmt.Sprint("LISTEN_FDS=", len(sockets)), "LISTEN_FDNAMES="+names)
	for _, ln := range sockets {
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	out := &syncBuffer{}
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, out
}

func listening(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// greeted dials a socket and returns what it says first.
func greeted(t *testing.T, network, address string) string {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line
}

func inheritedConfig(t *testing.T, listeners string) string {
	path := processConfig(t, "http://127.0.0.1:1", "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `listeners: [{address: "127.0.0.1:0", tls: {mode: none}}]`, listeners, 1)
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A listener takes all inherited sockets of its name; connections that came before the
// process was ready are answered, and an unused socket is told.
func TestSocketsOfSystemd(t *testing.T) {
	one, two, unused := listening(t), listening(t), listening(t)
	path := filepath.Join(t.TempDir(), "lmtp.sock")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	early, err := net.Dial("tcp", one.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	config := inheritedConfig(t, `listeners: [{address: "systemd:smtp", tls: {mode: none}}, {address: "systemd:lmtp.socket", kind: lmtp}]`)
	cmd, out := inheriting(t, config, "smtp:lmtp.socket:smtp:other", one, unix, two, unused)
	early.SetDeadline(time.Now().Add(patience))
	if line, err := bufio.NewReader(early).ReadString('\n'); !strings.HasPrefix(line, "220 mx.in.example ESMTP") {
		t.Fatalf("heard %q, %v:\n%s", line, err, out)
	}
	for _, ln := range []net.Listener{one, two} {
		if line := greeted(t, "tcp", ln.Addr().String()); !strings.HasPrefix(line, "220 mx.in.example ESMTP") {
			t.Errorf("heard %q:\n%s", line, out)
		}
	}
	if line := greeted(t, "unix", path); !strings.HasPrefix(line, "220 mx.in.example LMTP") {
		t.Errorf("heard %q:\n%s", line, out)
	}
	if !strings.Contains(out.String(), `"an inherited socket is used by no listener","name":"other"`) {
		t.Errorf("logged %s", out)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, out)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("systemd's own socket file is gone: %v", err)
	}
}

func TestSocketsThatWereNotInherited(t *testing.T) {
	config := inheritedConfig(t, `listeners: [{address: "systemd:smtp", tls: {mode: none}}]`)
	for name, c := range map[string]struct {
		names string
		want  string
	}{
		"another name":    {"submission", `no socket with the name \"smtp\" was inherited; there are: submission`},
		"no names at all": {"", `no socket with the name \"smtp\" was inherited; there are: unknown`},
	} {
		cmd, out := inheriting(t, config, c.names, listening(t))
		err := cmd.Wait()
		if said := out.String(); err == nil || !strings.Contains(strings.ReplaceAll(said, `"smtp"`, `\"smtp\"`), c.want) {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
	p := exec.Command(os.Args[0], "serve", "--config", config)
	p.Env = append(os.Environ(), asProgram+"=1", "LISTEN_FDS=1", "LISTEN_PID=1", "LISTEN_FDNAMES=smtp")
	if out, err := p.CombinedOutput(); err == nil || !strings.Contains(string(out), "there are: none") {
		t.Errorf("sockets of another process: %v\n%s", err, out)
	}
}
