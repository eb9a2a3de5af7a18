package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// result is what a command printed and its exit status.
type result struct {
	stdout, stderr string
	status         int
}

// command runs a command in this process.
func runCommand(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	term := &terminal{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr,
		getenv: func(string) (string, bool) { return "", false }}
	status := run(t.Context(), term, args)
	return result{stdout.String(), stderr.String(), status}
}

// writeFile puts text into a file of the test's own folder and returns its path.
func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const goodConfig = `hostname: mx.example.com
sinks:
  app: {type: webhook, url: "https://app.example.com/inbound", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"}
routes:
  - {name: tickets, recipient: "support+{ticket}@in.example.com", deliver: [app]}
  - {name: moved, recipient: "old@in.example.com", reject: "550 5.1.6 the mailbox has moved"}
  - {name: rest, recipient: "@in.example.com", deliver: [app]}
`

func TestUsage(t *testing.T) {
	cases := []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr string
	}{
		{"no command", nil, 2, "", "Usage: mxhook COMMAND"},
		{"help", []string{"help"}, 0, "Usage: mxhook COMMAND", ""},
		{"help of a command", []string{"help", "inspect"}, 0, "--resolver HOST:PORT", ""},
		{"help of nothing", []string{"help", "nonsense"}, 2, "", `no command "nonsense"`},
		{"unknown command", []string{"nonsense"}, 2, "", `no command "nonsense"`},
		{"doctor without a configuration", []string{"doctor"}, 2, "", "which configuration"},
		{"doctor by no resolver", []string{"doctor", "-c", "x", "--resolver", "here:53"}, 2, "", "an IP address is wanted"},
		{"doctor of no domain", []string{"doctor", "-c", "x", "--domain", "a..b"}, 2, "", "is no domain"},
		{"doctor with no address", []string{"doctor", "-c", "x", "--policy-address", "here"}, 2, "", "HOST:PORT is wanted"},
		{"doctor in no time", []string{"doctor", "-c", "x", "--timeout", "0s"}, 2, "", "more than 0"},
		{"doctor of a missing file", []string{"doctor", "-c", "/nonexistent/mxhook.yaml"}, 1, "", "/nonexistent/mxhook.yaml"},
		{"unknown flag", []string{"version", "--nonsense"}, 2, "", "flag provided but not defined"},
		{"too many arguments", []string{"version", "now"}, 2, "", `unexpected argument "now"`},
		{"too few arguments", []string{"inspect"}, 2, "", "an argument is missing"},
		{"version", []string{"version"}, 0, ", commit ", ""},
		{"--version", []string{"--version"}, 0, ", commit ", ""},
		{"-v", []string{"-v"}, 0, ", commit ", ""},
		{"a usage without argument", []string{"help", "serve"}, 0, "Usage: mxhook serve [flags]\n", ""},
		{"a long flag", []string{"help", "doctor"}, 0, "--policy-address HOST:PORT fetch", ""},
		{"a flag of a time", []string{"help", "doctor"}, 0, "--timeout DURATION    the DURATION that one group of checks may take, by default 15s", ""},
		{"what a missing file means", []string{"check", "--effective", "-c", "/nonexistent/mxhook.yaml"}, 1, "", "can't be read"},
		{"check nothing", []string{"check"}, 2, "", "which configuration"},
		{"check a missing file", []string{"check", "-c", "/nonexistent/mxhook.yaml"}, 1, "/nonexistent/mxhook.yaml", ""},
		{"serve with both kinds of configuration", []string{"serve", "-c", "x", "--to", "http://x/"}, 2, "", "without --config"},
		{"inspect a missing file", []string{"inspect", "/nonexistent.eml"}, 1, "", "no such file"},
		{"inspect in an unknown format", []string{"inspect", "--format", "xml", "-"}, 2, "", "these are: mxhook, raw"},
		{"inspect from no address", []string{"inspect", "--ip", "here", "-"}, 2, "", "no IP address"},
		{"inspect by no resolver", []string{"inspect", "--resolver", "here:53", "-"}, 2, "", "an IP address is wanted"},
		{"inspect at no time", []string{"inspect", "--time", "noon", "-"}, 2, "", "RFC 3339"},
		{"send to nobody", []string{"send", "-"}, 1, "", "names no recipient"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := runCommand(t, "Subject: nobody\n\nhello\n", c.args...)
			if got.status != c.status || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) {
				t.Errorf("status %d\nstdout %s\nstderr %s", got.status, got.stdout, got.stderr)
			}
			if c.status != 0 && got.status != 0 && c.stdout == "" && got.stdout != "" {
				t.Errorf("a problem was printed on standard output: %s", got.stdout)
			}
		})
	}
}

func TestCheckEffectivePrintsWhatLoadsAgain(t *testing.T) {
	got := runCommand(t, "", "check", "--effective", writeFile(t, "mxhook.yaml", goodConfig))
	if got.status != 0 || !strings.Contains(got.stderr, "warning: ") || strings.Contains(got.stdout, "whsec_") ||
		!strings.Contains(got.stdout, `    secret: "${MXHOOK_APP_SECRET}"  # <redacted>`) || !strings.Contains(got.stdout, "  budget: 30s  # default\n") {
		t.Fatalf("%+v", got)
	}
	again := strings.ReplaceAll(got.stdout, "${MXHOOK_APP_SECRET}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr")
	if second := runCommand(t, "", "check", writeFile(t, "effective.yaml", again)); second.status != 0 || !strings.Contains(second.stdout, "good (listeners: 1, sinks: 1, routes: 3)") {
		t.Errorf("%+v", second)
	}
	if got := runCommand(t, "", "check", "--effective", writeFile(t, "mxhook.yaml", "hostname: x\nnonsense: 1\n")); got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, "nonsense") {
		t.Errorf("%+v", got)
	}
}

func TestCheckPrintsEveryFaultWithItsPlace(t *testing.T) {
	file := writeFile(t, "mxhook.yaml", `hostname: mx.example.com
nonsense: 1
limits: {recipients: many}
sinks:
  app: {type: webhook, url: "https://app.example.com/", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr", timeout: 5}
  disk: {type: dir, path: ./mail, maildir: perhaps}
routes:
  - {recipient: "@in.example.com", deliver: [archive]}
  - {recipient: "a@other.example", deliver: [app], when: {dmarc: [passed]}}
  - {recipient: "b@other.example", deliver: [disk]}
`)
	got := runCommand(t, "", "check", "--config", file)
	place := regexp.MustCompile(`^` + regexp.QuoteMeta(file) + `:\d+:\d+: \S`)
	faults := 0
	for line := range strings.Lines(got.stdout) {
		if !place.MatchString(line) {
			t.Errorf("a line without a place: %s", line)
		}
		if !strings.Contains(line, ": warning: ") {
			faults++
		}
	}
	if got.status != 1 || faults < 5 {
		t.Errorf("status %d, %d faults instead of 5 or more:\n%s", got.status, faults, got.stdout)
	}
	for _, want := range []string{"nonsense", "recipients", "timeout", `"archive" is not defined`, "when: dmarc: must be one of", "maildir: must be true or false"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not told:\n%s", want, got.stdout)
		}
	}
	if got := runCommand(t, "", "serve", "--config", file); got.status != 1 || !strings.Contains(got.stderr, ":2:1: ") {
		t.Errorf("serve took it: %+v", got)
	}
}

func TestCheckOfAGoodConfiguration(t *testing.T) {
	got := runCommand(t, "", "check", "-c", writeFile(t, "mxhook.yaml", goodConfig))
	if got.status != 0 || !strings.Contains(got.stdout, "sinks: 1, routes: 3") {
		t.Errorf("%+v", got)
	}
}

func TestExplain(t *testing.T) {
	file := writeFile(t, "mxhook.yaml", strings.Replace(goodConfig, "routes:\n", `routes:
  - {name: slow, recipient: "slow@in.example.com", deliver: [app], mode: spool}
  - {name: patient, recipient: "patient@in.example.com", deliver: [app], spill_after: 4h}
`, 1))
	for rcpt, want := range map[string]string{
		"Support+A7@IN.example.com": `=> route tickets, delivered to app, ticket="A7"`,
		"old@in.example.com":        "=> refused: 550 5.1.6 the mailbox has moved",
		"any@in.example.com":        "=> route rest, delivered to app",
		"slow@in.example.com":       "=> route slow, delivered to app by the spool\n",
		"patient@in.example.com":    "=> route patient, delivered to app, by the spool after 4h0m0s of deferrals\n",
		"any@elsewhere.example":     "=> refused: 550 5.7.1 ",
		"not an address":            "501 5.1.3",
	} {
		got := runCommand(t, "", "explain", "-c", file, rcpt)
		if got.status != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("explain %s: status %d, want %q in\n%s%s", rcpt, got.status, want, got.stdout, got.stderr)
		}
	}
}

func TestInspectPrintsAValidPayload(t *testing.T) {
	schema := compileSchema(t)
	message := writeFile(t, "message.eml", "From: Ann <ann@sender.example>\nTo: support+42@in.example.com\nSubject: hello\n\nText.\n")
	for _, args := range [][]string{
		{"inspect", message},
		{"inspect", message, "--from", "", "--rcpt", "a@in.example", "--rcpt", "b@in.example", "--ip", "2001:db8::1", "--helo", "x y"},
		{"inspect", "-c", writeFile(t, "mxhook.yaml", goodConfig), message, "--from=\"a b\"@sender.example"},
	} {
		got := runCommand(t, "", args...)
		if got.status != 0 {
			t.Fatalf("%v: %+v", args, got)
		}
		validate(t, schema, []byte(got.stdout))
	}
	raw := runCommand(t, "", "inspect", message, "--format=raw")
	if !strings.HasPrefix(raw.stdout, "Return-Path: <ann@sender.example>\r\nX-Original-To: support+42@in.example.com\r\n") ||
		!strings.HasSuffix(raw.stdout, "\r\n\r\nText.\r\n") {
		t.Errorf("the raw copy is\n%s", raw.stdout)
	}
	if refused := runCommand(t, "", "inspect", "-c", writeFile(t, "mxhook.yaml", goodConfig), message, "--rcpt", "x@elsewhere.example"); refused.status != 1 ||
		!strings.Contains(refused.stderr, "550 5.7.1") {
		t.Errorf("a refused recipient: %+v", refused)
	}
}

func TestSendGivesAFreshIdentity(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
	file := writeFile(t, "message.eml", strings.ReplaceAll(interopMessage, "\r\n", "\n"))
	var ids []string
	for _, args := range [][]string{{"send", file}, {"send", file, "--as-is"}, {"send", file}} {
		got := runCommand(t, "", append(args, "--to", b.smtp)...)
		if got.status != 0 || !strings.HasPrefix(got.stdout, "250 2.0.0 OK msg_") {
			t.Fatalf("%v: %+v", args, got)
		}
		var p struct {
			Message struct {
				MessageID string `json:"message_id"`
				Date      time.Time
			}
		}
		if err := json.Unmarshal(a.next(t).body, &p); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.Message.MessageID)
		if fresh := time.Since(p.Message.Date) < time.Hour && time.Since(p.Message.Date) > -time.Hour; fresh == (len(ids) == 2) {
			t.Errorf("%v: the date is %s", args, p.Message.Date)
		}
	}
	if ids[0] == ids[2] || ids[1] != "<interop@sender.example>" {
		t.Errorf("the Message-IDs are %q", ids)
	}
	a.set(answering(503))
	if got := runCommand(t, "", "send", file, "--to", b.smtp); got.status != 1 || !strings.Contains(got.stderr, "451 4.4.5") {
		t.Errorf("while the webhook is down: %+v", got)
	}
}

func TestSendFromNobodyHasTheNullReversePath(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
	for from, want := range map[string]string{"": "", "<>": "", "<bob@sender.example>": "bob@sender.example"} {
		got := runCommand(t, interopMessage, "send", "--from", from, "--to", b.smtp, "-")
		var p struct {
			Envelope struct {
				ReversePath *string `json:"reverse_path"`
			}
		}
		if err := json.Unmarshal(a.next(t).body, &p); err != nil || got.status != 0 || *p.Envelope.ReversePath != want {
			t.Errorf("--from %q: %+v, %v", from, p, err)
		}
	}
}

func TestANameWithoutAnAddressIsNoRecipient(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(interopConfig, "%URL%", a.URL))
	file := writeFile(t, "message.eml", "From: ann@sender.example\nTo: Team, support@in.example, \"Nobody\" <>\nSubject: hello\n\nText.\n")
	got := runCommand(t, "", "send", file, "--to", b.smtp)
	if got.status != 0 || !strings.HasPrefix(got.stdout, "250 2.0.0 OK msg_") || !strings.Contains(got.stderr, `"Team" has no address`) ||
		!strings.Contains(got.stderr, `"Nobody" has no address`) {
		t.Errorf("%+v", got)
	}
	if got := runCommand(t, "", "inspect", file); got.status != 0 || !strings.Contains(got.stderr, `"Team" has no address`) || strings.Contains(got.stdout, `"local_part": "Team"`) {
		t.Errorf("%+v", got)
	}
	if got := runCommand(t, "To: Team\n\nText.\n", "send", "-"); got.status != 1 || !strings.Contains(got.stderr, "names no recipient") {
		t.Errorf("%+v", got)
	}
}

func TestDemo(t *testing.T) {
	began := time.Now()
	got := runCommand(t, "", "demo")
	if got.status != 0 {
		t.Fatalf("%+v", got)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, want := range []string{
		"Webhook-Id: msg_", "Webhook-Timestamp: ", "Webhook-Signature: v1,", "S: 451 4.4.1 ", "S: 250 2.0.0 OK msg_",
		`"from_verified": true`, "spf=pass dkim=pass dmarc=pass", `"filename": "invoice.csv"`, "Delivered once",
		"S: 250 2.0.0 already delivered as msg_",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in the output:\n%s", want, got.stdout)
		}
	}
	_, rest, _ := strings.Cut(got.stdout, "\n{\n")
	payload, _, _ := strings.Cut(rest, "\n}\n")
	validate(t, compileSchema(t), []byte("{"+payload+"}"))
}

// compileSchema returns what `mxhook schema` prints.
func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	printed := runCommand(t, "", "schema")
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(printed.stdout))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("payload.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("payload.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, payload []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		t.Fatalf("%v in\n%s", err, payload)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%v in\n%s", err, payload)
	}
}
