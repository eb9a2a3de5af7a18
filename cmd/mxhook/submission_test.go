package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hashOf runs hash-password.
func hashOf(t *testing.T, password string) string {
	t.Helper()
	var out, problems bytes.Buffer
	status := run(t.Context(), &terminal{stdin: strings.NewReader(password + "\n"), stdout: &out, stderr: &problems, getenv: os.LookupEnv}, []string{"hash-password"})
	if status != exitGood || problems.Len() > 0 {
		t.Fatalf("status %d: %s", status, &problems)
	}
	return strings.TrimSpace(out.String())
}

func TestHashPasswordRefusesWhatIsNoPassword(t *testing.T) {
	for _, in := range []string{"", "\n", "\r\n", strings.Repeat("x", 256) + "\n", strings.Repeat("x", 5000), "a\x00b\n"} {
		var out, problems bytes.Buffer
		status := run(t.Context(), &terminal{stdin: strings.NewReader(in), stdout: &out, stderr: &problems, getenv: os.LookupEnv}, []string{"hash-password"})
		if status != exitProblem || out.Len() > 0 || problems.Len() == 0 {
			t.Errorf("%.10q: status %d, %q, %q", in, status, &out, &problems)
		}
	}
}

func submissionConfig(t *testing.T, mode, url string) string {
	cert, key := certificate(t, "mx.in.example")
	return strings.ReplaceAll(interopConfig, "%URL%", url) + fmt.Sprintf(
		"listeners: [{address: \"127.0.0.1:0\", kind: submission, tls: {mode: %s, cert_file: %q, key_file: %q}, users: [{name: scanner, password_hash: %q}]}]\n",
		mode, cert, key, hashOf(t, "open sesame"))
}

// submit logs in and sends; password "" doesn't log in.
func submit(t *testing.T, address, password, rcpt string, message string) error {
	t.Helper()
	c, err := smtp.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Hello("scanner.in.example"); err != nil {
		t.Fatal(err)
	}
	if ok, _ := c.Extension("AUTH"); ok {
		t.Error("AUTH is offered in clear")
	}
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true, ServerName: "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	if password != "" {
		if err := c.Auth(smtp.PlainAuth("", "scanner", password, "127.0.0.1")); err != nil {
			return err
		}
	}
	if err := c.Mail("scanner@sender.example"); err != nil {
		return err
	}
	if err := c.Rcpt(rcpt); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	w.Write([]byte(message))
	return w.Close()
}

func TestSubmission(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, submissionConfig(t, "starttls", a.URL))
	var refused *textproto.Error
	for _, c := range []struct {
		password, rcpt string
		code           int
	}{
		{"", "support@in.example", 530}, {"wrong", "support@in.example", 535}, {"open sesame", "bob@elsewhere.example", 550},
	} {
		if err := submit(t, b.smtp, c.password, c.rcpt, smallMessage); !errors.As(err, &refused) || refused.Code != c.code {
			t.Errorf("%q to %s: %v, want %d", c.password, c.rcpt, err, c.code)
		}
	}
	if err := submit(t, b.smtp, "open sesame", "support@in.example", smallMessage); err != nil {
		t.Fatal(err)
	}
	d := a.next(t)
	var p struct {
		Envelope struct {
			User     *string
			Protocol string
			RemoteIP string `json:"remote_ip"`
		}
		Authentication struct {
			SPF   struct{ Result, Reason string }
			IPRev struct{ Result string }
		}
	}
	if err := json.Unmarshal(d.body, &p); err != nil {
		t.Fatal(err)
	}
	if e := p.Envelope; e.User == nil || *e.User != "scanner" || !strings.HasSuffix(e.Protocol, "SMTPSA") || e.RemoteIP != "127.0.0.1" {
		t.Errorf("envelope %+v", e)
	}
	if v := p.Authentication; v.SPF.Result != "none" || v.SPF.Reason != "authenticated submission" || v.IPRev.Result != "none" {
		t.Errorf("verdicts of the user's address: %+v", v)
	}
	if !strings.Contains(b.log.String(), `"user":"scanner","transaction"`) {
		t.Error("the log does not name the user of the message")
	}
	if len(a.got) > 0 || strings.Contains(b.log.String(), "sesame") {
		t.Error("more was delivered than was sent, or a password is logged")
	}
}

// TestRealClientsSubmit logs in with each mechanism of each client.
func TestRealClientsSubmit(t *testing.T) {
	const from, to = "ann@sender.example", "support@in.example"
	for name, c := range map[string]struct {
		program, mode string
		args          func(address, user, password string) []string
	}{
		"swaks PLAIN, STARTTLS": {"swaks", "starttls", func(address, user, password string) []string {
			return []string{"--server", address, "--tls", "--auth", "PLAIN", "--auth-user", user, "--auth-password", password, "--from", from, "--to", to, "--data", "-", "--silent", "1"}
		}},
		"swaks LOGIN, TLS": {"swaks", "implicit", func(address, user, password string) []string {
			return []string{"--server", address, "--tls-on-connect", "--auth", "LOGIN", "--auth-user", user, "--auth-password", password, "--from", from, "--to", to, "--data", "-", "--silent", "1"}
		}},
		"curl PLAIN, TLS": {"curl", "implicit", func(address, user, password string) []string {
			return []string{"-sS", "-k", "--noproxy", "*", "smtps://" + address, "--user", user + ":" + password, "--login-options", "AUTH=PLAIN", "--mail-from", from, "--mail-rcpt", to, "--upload-file", "-"}
		}},
		"curl LOGIN, STARTTLS": {"curl", "starttls", func(address, user, password string) []string {
			return []string{"-sS", "-k", "--ssl-reqd", "--noproxy", "*", "smtp://" + address, "--user", user + ":" + password, "--login-options", "AUTH=LOGIN", "--mail-from", from, "--mail-rcpt", to, "--upload-file", "-"}
		}},
		"msmtp PLAIN, STARTTLS": {"msmtp", "starttls", msmtpArgs(t, "plain", "on")},
		"msmtp LOGIN, TLS":      {"msmtp", "implicit", msmtpArgs(t, "login", "off")},
	} {
		t.Run(name, func(t *testing.T) {
			path := tool(t, c.program)
			a := startApp(t)
			b := startBridge(t, submissionConfig(t, c.mode, a.URL))
			send := func(password string) error {
				cmd := exec.Command(path, c.args(b.smtp, "scanner", password)...)
				cmd.Stdin = strings.NewReader(interopMessage)
				out, err := cmd.CombinedOutput()
				t.Logf("%v\n%s", err, out)
				return err
			}
			if send("wrong") == nil {
				t.Error("a wrong password is taken")
			}
			if err := send("open sesame"); err != nil {
				t.Fatal(err)
			}
			if p := a.next(t).document(t); p.Envelope.Protocol != "ESMTPSA" && p.Envelope.Protocol != "UTF8SMTPSA" {
				t.Errorf("protocol %s", p.Envelope.Protocol)
			}
		})
	}
}

func msmtpArgs(t *testing.T, mechanism, starttls string) func(address, user, password string) []string {
	return func(address, user, password string) []string {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--host=127.0.0.1", "--port=" + port(t, address), "--from=ann@sender.example", "--tls=on", "--tls-starttls=" + starttls,
			"--tls-certcheck=off", "--auth=" + mechanism, "--user=" + user, "--passwordeval=cat " + file, "support@in.example"}
	}
}
