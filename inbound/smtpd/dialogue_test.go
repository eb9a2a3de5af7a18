package smtpd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"mxhook/inbound/status"
)

// TestDialogues runs testdata/dialogues. Each section of a file is one dialogue, whose
// name says the rule:
//
//	config: errors=2 recipients=1   limits, tls=MODE or tls=off, lmtp=on,
//	                                auth=offered or auth=required
//	only: plain                     not over TLS (or: only: tls)
//	C: line                         the client sends line CR LF; \r \n \t \\ \xNN are escapes, \#N; is N times x
//	C- octets                       the same without CR LF
//	M: octets                       the client sends a message, in one run by DATA, in one by BDAT
//	S: line                         the server answers exactly so; * at the end: begins so
//	S: <closed>                     the server closes the connection
//	delivered: 1                    so many messages reached the Handler
//
// All dialogues begin after "220" and EHLO, but for those that say "begin: connect".
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogues/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	met := metConditions{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range txtar.Parse(b).Files {
			s := parseScript(t, section)
			for _, secure := range []bool{false, true} {
				if secure && s.only == "plain" || !secure && s.only == "tls" {
					continue
				}
				for _, way := range s.ways() {
					name := fmt.Sprintf("%s/%s/%s/%s", strings.TrimSuffix(filepath.Base(file), ".txtar"), section.Name,
						map[bool]string{false: "plain", true: "starttls"}[secure], way)
					t.Run(name, func(t *testing.T) { met.add(secure, s.run(t, secure, way)) })
				}
			}
		}
	}
	if !strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		met.check(t)
	}
}

type script struct {
	config    map[string]string
	only      string
	connect   bool
	delivered int
	lines     []string
}

func parseScript(t *testing.T, f txtar.File) *script {
	s := &script{config: map[string]string{}, delivered: -1}
	for line := range strings.SplitSeq(strings.TrimSpace(string(f.Data)), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "config:":
			for kv := range strings.FieldsSeq(value) {
				k, v, _ := strings.Cut(kv, "=")
				s.config[k] = v
			}
		case "only:":
			s.only = value
		case "begin:":
			s.connect = value == "connect"
		case "delivered:":
			s.delivered, _ = strconv.Atoi(value)
		case "C:", "C-", "S:", "M:":
			s.lines = append(s.lines, line)
		default:
			t.Fatalf("%s: what is %q?", f.Name, line)
		}
	}
	return s
}

// authenticate knows ann, and fails for broken.
func authenticate(_ context.Context, user, password string) error {
	switch {
	case user == "ann" && password == "secret":
		return nil
	case user == "broken":
		return errors.New("dial tcp 10.0.0.1:389: secret internal text")
	}
	return status.AuthFailed.Wrap("test", nil)
}

func (s *script) ways() []string {
	for _, l := range s.lines {
		if strings.HasPrefix(l, "M:") {
			return []string{"DATA", "BDAT"}
		}
	}
	return []string{"-"}
}

func (s *script) apply(t *testing.T) func(*Config) {
	return func(c *Config) {
		for k, v := range s.config {
			n, _ := strconv.Atoi(v)
			switch k {
			case "errors":
				c.Limits.Errors = n
			case "recipients":
				c.Limits.Recipients = n
			case "size":
				c.Limits.MessageSize = int64(n)
			case "auth":
				c.Authenticate, c.AuthRequired = authenticate, v == "required"
			case "lmtp":
				c.LMTP = true
			case "tls":
				c.TLSMode = TLSMode(v)
				if v == "off" {
					c.TLS, c.TLSMode = nil, ""
				}
			default:
				t.Fatalf("config %q?", k)
			}
		}
	}
}

// run plays the script and returns what the server counted.
func (s *script) run(t *testing.T, secure bool, way string) *observer {
	r := start(t, s.apply(t))
	c := r.dial()
	if s.config["lmtp"] != "" {
		c.greeting = "LHLO"
	}
	if secure {
		c.hello().startTLS()
	} else if !s.connect {
		c.hello()
	}
	for _, line := range s.lines {
		key, text, _ := strings.Cut(line, " ")
		switch key {
		case "C:":
			c.send(unescape(text) + "\r\n")
		case "C-":
			c.send(unescape(text))
		case "M:":
			c.message(way, unescape(text))
		case "S:":
			c.wantLine(text)
		}
	}
	if got, _ := r.h.count(); s.delivered >= 0 && got != s.delivered {
		t.Errorf("%d messages were delivered, want %d", got, s.delivered)
	}
	return r.obs
}

func (c *client) message(way, text string) {
	c.t.Helper()
	if way == "BDAT" {
		c.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text))
		return
	}
	c.want("DATA", "354 ").send(stuff(text) + ".\r\n")
}

// stuff does what a client does (RFC 5321 4.5.2).
func stuff(text string) string {
	text = strings.ReplaceAll(text, "\r\n.", "\r\n..")
	if strings.HasPrefix(text, ".") {
		text = "." + text
	}
	if text != "" && !strings.HasSuffix(text, "\r\n") {
		text += "\r\n"
	}
	return text
}

func (c *client) wantLine(want string) {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	got := strings.TrimSuffix(line, "\r\n")
	if err != nil {
		got = "<closed>"
		if err.Error() != "EOF" || line != "" {
			got = fmt.Sprintf("<%v> after %q", err, line)
		}
	}
	if prefix, ok := strings.CutSuffix(want, "*"); ok && strings.HasPrefix(got, prefix) || got == want {
		return
	}
	c.t.Fatalf("S: got %q, want %q", got, want)
}

func unescape(s string) string {
	if before, rest, ok := strings.Cut(s, `\#`); ok {
		n, after, _ := strings.Cut(rest, ";")
		count, err := strconv.Atoi(n)
		if err != nil {
			panic(err)
		}
		s = before + strings.Repeat("x", count) + after
	}
	r := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\t`, "\t", `\\`, `\`)
	for {
		i := strings.Index(s, `\x`)
		if i < 0 {
			return r.Replace(s)
		}
		n, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			panic(err)
		}
		s = s[:i] + string([]byte{byte(n)}) + s[i+4:]
	}
}
