package config

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// effective writes out a configuration; env has the variables that stand in the place of
// secrets, too.
func effective(t testing.TB, text string, env func(string) (string, bool)) (c *Config, out string, with func(string) (string, bool)) {
	t.Helper()
	d := &decoder{file: "mxhook.yaml", env: env, host: func() (string, error) { return "mx.host.example", nil }}
	if c = d.config([]byte(text)); c == nil || faulty(d.clean()) {
		return nil, "", nil
	}
	w := newWriter(c)
	w.file((&decoder{file: "mxhook.yaml", env: env}).parse([]byte(text)))
	return c, w.b.String(), func(name string) (string, bool) {
		if v, ok := w.hidden[name]; ok {
			return v, true
		}
		return env(name)
	}
}

// TestEffectiveIsTheSameConfiguration writes out each file that loads, and reads it
// again: the same Config, no more warnings, and nothing that was left to the defaults.
func TestEffectiveIsTheSameConfiguration(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob("../../../examples/configs/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cert, key := writeCertificate(t)
	env := func(name string) (string, bool) {
		if v, ok := exampleEnv(cert, key)[name]; ok {
			return v, true
		}
		return testEnv(name)
	}
	loaded := 0
	for _, file := range append(files, examples...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, out, with := effective(t, string(text), env)
		if want == nil {
			continue
		}
		loaded++
		d := &decoder{file: "effective.yaml", env: with, host: func() (string, error) { return "another.host.example", nil }}
		got := d.config([]byte(out))
		problems := d.clean()
		if got == nil || faulty(problems) {
			t.Errorf("%s:\n%s\n%s", file, lines(problems), out)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: another configuration:\n%s", file, out)
		}
		first := &decoder{file: "x", env: env, host: func() (string, error) { return "mx.host.example", nil }}
		first.config(text)
		if before := first.clean(); len(problems) > len(before) {
			t.Errorf("%s: more warnings:\n%swere\n%s", file, lines(problems), lines(before))
		}
		if _, again, _ := effective(t, out, with); bare(again) != bare(out) {
			t.Errorf("%s: not the same again:\n%s\nwas\n%s", file, again, out)
		}
		if !strings.Contains(out, "  message_size: ") || !strings.Contains(out, "spool:\n  max_bytes: ") || !strings.Contains(out, "\n  - name: ") {
			t.Errorf("%s: defaults are missing:\n%s", file, out)
		}
	}
	if loaded < 25 {
		t.Errorf("only %d files loaded", loaded)
	}
}

// bare is a text without its comments.
func bare(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "  # ")
		b.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

func TestEffectiveShowsNoSecret(t *testing.T) {
	const text = `hostname: mx.example.com
admin: {address: "127.0.0.1:8025", token: "canary-token"}
sinks:
  app:
    type: webhook
    url: "https://canary:canary@app.example.com/in/{t}?token=canary&t={t}"
    secret: [whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5, "${MXHOOK_SECRET}", "${UNSET:-whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ6}"]
    headers: {Authorization: "Bearer canary", X-Key: "${CANARY}", X-Default: "${UNSET:-canary}"}
  other: {type: webhook, url: "https://app.example.com/in?key=${CANARY}&t={t}", secret: "${MXHOOK_SECRET}"}
  a-b: {type: webhook, url: "${CANARY_URL}", secret: "${OTHER_SECRET}"}
  a_b: {type: webhook, url: "https://x:canary@app.example.com/", secret: whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ3}
routes:
  - {recipient: "x+{t}@in.example.com", deliver: [app, other, a-b, a_b]}
  - {recipient: "@in.example.com", deliver: [a-b], accept: {url: "https://u:canary@app.example.com/rcpt", secret: whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ4}}
`
	c, out, with := effective(t, text, testEnv)
	if c == nil {
		_, problems := parse(t, text)
		t.Fatal(lines(problems))
	}
	if strings.Contains(strings.ToLower(out), "canary-") || strings.Contains(out, "canary:") || strings.Contains(out, "=canary") || strings.Contains(out, "Y2FuYXJ5") || strings.Contains(out, " canary") || strings.Contains(out, "-canary") {
		t.Errorf("a secret is shown:\n%s", out)
	}
	for _, want := range []string{
		`token: "${MXHOOK_ADMIN_TOKEN}"  # <redacted>, which the file has in this variable's place`,
		`url: "https://${MXHOOK_APP_URL_USER}@app.example.com/in/{t}?${MXHOOK_APP_URL_QUERY}"  # <redacted>`,
		`secret: ["${MXHOOK_APP_SECRET_1}", "${MXHOOK_SECRET}", "${UNSET}"]`,
		`Authorization: "${MXHOOK_APP_HEADERS_AUTHORIZATION}"`, `X-Key: "${CANARY}"` + "\n",
		`url: "https://app.example.com/in?key=${CANARY}&t={t}"` + "\n", `url: "${CANARY_URL}"` + "\n",
		"fan_out: recipient  # as its url, queue or format wants it", "attempts: 2  # default", `name: "1"  # default`, "cache: 60s  # default",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	values := slices.Collect(maps.Values(map[string]string{}))
	for _, name := range []string{"MXHOOK_APP_URL_USER", "MXHOOK_A_B_SECRET", "MXHOOK_ADMIN_TOKEN"} {
		v, ok := with(name)
		if !ok {
			t.Errorf("no variable %s", name)
		}
		values = append(values, v)
	}
	if slices.Contains(values, "") {
		t.Errorf("%q", values)
	}
}

func TestEffectiveOfAFaultyFileIsNothing(t *testing.T) {
	for _, text := range []string{"", "nonsense: 1", "{", "routes: []"} {
		out, problems := Effective("mxhook.yaml", []byte(text), testEnv)
		if out != nil || len(problems) == 0 {
			t.Errorf("%q: %q, %v", text, out, problems)
		}
	}
	if out, problems := LoadEffective("/nonexistent", testEnv); out != nil || len(problems) != 1 {
		t.Errorf("%q, %v", out, problems)
	}
}
