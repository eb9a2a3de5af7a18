package doctor_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/doctor"
	"mxhook/cmd/internal/password"
)

// kinds is a configuration with a listener of every kind.
func kinds(w *world) string {
	tls := "cert_file: CERT, key_file: KEY"
	w.yaml = strings.Replace(w.yaml, `  - {address: "127.0.0.1:0", tls: {cert_file: CERT, key_file: KEY}}`, fmt.Sprintf(`
  - {address: "127.0.0.1:0", tls: {%[1]s}}
  - {address: "127.0.0.1:0", tls: {mode: required, %[1]s}, proxy_protocol: ["127.0.0.0/8"]}
  - {address: "127.0.0.1:0", tls: {mode: implicit, %[1]s}}
  - {address: "127.0.0.1:0", kind: submission, tls: {%[1]s}, users: [{name: u, password_hash: %[2]q}]}
  - {address: "127.0.0.1:0", kind: submission, tls: {mode: implicit, %[1]s}, users: [{name: u, password_hash: %[2]q}]}
  - {address: "unix:%[3]s/lmtp", kind: lmtp}`, tls, password.New("x"), w.folder), 1)
	return w.yaml
}

func TestListenersOfEveryKindAreSpokenWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kinds(w)
	var c *config.Config
	w.change = func(loaded *config.Config) { c = loaded }
	r := w.examine()
	for i, l := range c.Listeners {
		well := map[string]bool{}
		for _, check := range r.Checks {
			if check.Subject == l.Address && check.Severity == doctor.OK {
				well[check.Name] = true
			} else if check.Subject == l.Address && check.Severity != doctor.Info {
				t.Errorf("listener %d: %+v", i, check)
			}
		}
		if !well["listener"] || !well["relay"] || well["starttls"] != (l.TLS.Mode != "none") || well["accepting"] != (l.Kind != "submission") {
			t.Errorf("listener %d, %+v: well is %v", i, l, well)
		}
	}
	if !r.Healthy() {
		t.Error("not healthy")
	}
}

func TestListenersThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.idle = true
	w.yaml = strings.Replace(w.yaml, `  - {address: "127.0.0.1:0", tls: {cert_file: CERT, key_file: KEY}}`, fmt.Sprintf(`
  - {address: "systemd:smtp", tls: {cert_file: CERT, key_file: KEY}}
  - {address: "unix:%[1]s/lmtp", kind: lmtp}
  - {address: "unix:%[1]s/nowhere/lmtp", kind: lmtp}`, w.folder), 1)
	got := map[string]doctor.Check{}
	for _, c := range w.examine().Checks {
		if c.Name == "listener" {
			got[c.Subject] = c
		}
	}
	for subject, want := range map[string]struct {
		severity doctor.Severity
		found    string
	}{
		"systemd:smtp": {doctor.Info, "socket unit"},
		"unix:" + filepath.Join(w.folder, "lmtp"):            {doctor.Warning, "is not running"},
		"unix:" + filepath.Join(w.folder, "nowhere", "lmtp"): {doctor.Error, "is not there"},
	} {
		if c := got[subject]; c.Severity != want.severity || !strings.Contains(c.Found, want.found) || c.Fix == "" {
			t.Errorf("%s: %+v", subject, c)
		}
	}
}

// TestWhoListensMayBeAnything lets something else than a mail server answer.
func TestWhoListensMayBeAnything(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed.Close() })
	go func() {
		for {
			conn, err := closed.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for name, c := range map[string]struct {
		address  string
		severity doctor.Severity
		found    string
	}{
		"closes at once":      {closed.Addr().String(), doctor.Error, "another program answers, or mxhook serve hangs: the connection is closed"},
		"speaks HTTP":         {speak(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), doctor.Error, "no SMTP reply"},
		"a line without end":  {speak(t, strings.Repeat("2", 100_000)), doctor.Error, "no SMTP reply"},
		"lines without end":   {speak(t, strings.Repeat("220-mx.in.example ESMTP mxhook\r\n", 5000)), doctor.Error, "no SMTP reply"},
		"is too busy":         {speak(t, "421 4.4.5 too many connections \x1b[2J\r\n"), doctor.Error, `"4.4.5 too many connections \x1b[2J"`},
		"refuses EHLO":        {speak(t, "220 mx.in.example ESMTP mxhook\r\n", "500 5.5.1 what?\r\n"), doctor.Unknown, "EHLO is answered with"},
		"breaks off in a TLS": {speak(t, "220 mx.in.example ESMTP mxhook\r\n", "250-mx.in.example\r\n250 STARTTLS\r\n", "220 2.0.0 go\r\n", "nonsense"), doctor.Error, "handshake fails"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.change = func(loaded *config.Config) { loaded.Listeners[0].Address = c.address }
			r := w.examine()
			found := false
			for _, check := range r.Checks {
				found = found || check.Subject == c.address && check.Severity == c.severity && strings.Contains(check.Found, strings.ReplaceAll(c.found, "\x1b", `\x1b`))
			}
			if !found || r.Healthy() {
				t.Errorf("%+v", r.Checks)
			}
		})
	}
}
