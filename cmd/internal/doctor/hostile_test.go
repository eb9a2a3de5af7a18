package doctor_test

import (
	"bytes"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/doctor"
	"mxhook/verify/dns"
)

// speak is a server that says its lines, one at each line that it hears.
func speak(t testing.TB, lines ...string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 1000)
				for _, line := range lines {
					if _, err := conn.Write([]byte(line)); err != nil {
						return
					}
					if _, err := conn.Read(buffer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// TestASilentResolverLeavesQuestionsOpen wants nothing that DNS would say to be well.
func TestASilentResolverLeavesQuestionsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w.options = func(o *doctor.Options) {
		o.Resolver = dns.New(dns.Config{Servers: []string{silent.LocalAddr().String()}, Timeout: 30 * time.Millisecond})
	}
	r := w.examine()
	if r.Healthy() {
		t.Error("healthy, though nothing is known")
	}
	open := map[string]bool{}
	for _, c := range r.Checks {
		switch c.Name {
		case "mx", "address", "alias", "mta_sts", "tls_rpt", "tlsa":
			if c.Severity != doctor.Unknown || c.Why == "" || !strings.Contains(c.Found, "no answer") {
				t.Errorf("%+v", c)
			}
			open[c.Name] = true
		case "ptr":
			t.Errorf("of no address: %+v", c)
		}
	}
	if len(open) != 6 {
		t.Errorf("open: %v", open)
	}
}

// TestAResolverThatNobodyAnswersAtEndsInTime bounds a run by its context.
func TestARunEndsWithItsTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options = func(o *doctor.Options) {
		o.Timeout = time.Millisecond
		o.Resolver = dns.New(dns.Config{Servers: []string{"127.0.0.1:9"}, Timeout: time.Hour})
	}
	if r := w.examine(); r.Healthy() {
		t.Error("healthy, though there was no time to look")
	}
}

// TestHostileAnswersAreShownHarmless puts escape sequences, texts without end and
// circles where doctor looks.
func TestHostileAnswersAreShownHarmless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat(` "`+strings.Repeat("A", 250)+`"`, 200)
	w.zone = `
in.example.            MX   10 \027[2Jevil.in.example.
in.example.            MX   20 circle.in.example.
circle.in.example.     CNAME circle2.in.example.
circle2.in.example.    CNAME circle.in.example.
mx.in.example.         A    198.41.0.4
4.0.41.198.in-addr.arpa. PTR \027]0\;owned\007.example.
_mta-sts.in.example.   TXT  "v=STSv1; id=\027[31m\226\128\174gnp"
_smtp._tls.in.example. TXT  "v=TLSRPTv1; rua=\027[31m"` + long + `
_25._tcp.mx.in.example. TLSA 3 1 1 00
`
	r := w.examine()
	var text, structured bytes.Buffer
	if err := r.WriteText(&text, false); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&structured); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"text": text.String(), "JSON": structured.String()} {
		if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e }); i >= 0 {
			t.Errorf("%s: a control character: %q", name, s[max(0, i-40):min(len(s), i+40)])
		}
		if len(s) > 20_000 {
			t.Errorf("%s: %d octets", name, len(s))
		}
	}
	for _, c := range r.Checks {
		if c.Severity == doctor.OK && (c.Name == "mx" || c.Name == "mta_sts" || c.Name == "tls_rpt" || c.Name == "ptr" || c.Name == "tlsa") {
			t.Errorf("well: %+v", c)
		}
	}
}

// TestReports reads what both forms say.
func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy = policyFile("mode: enforce\n")
	r := w.examine()
	var plain, coloured, structured bytes.Buffer
	for _, err := range []error{r.WriteText(&plain, false), r.WriteText(&coloured, true), r.WriteJSON(&structured)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"Domain in.example\n", "✗ error    mta_sts: ", "✓ ok       mx: 10 mx.in.example\n", "      why: ", "      fix: serve at https://mta-sts.in.example/",
		"sink app: ", "not healthy: 1 errors"} {
		if !strings.Contains(plain.String(), want) {
			t.Errorf("no %q in\n%s", want, &plain)
		}
	}
	if !strings.Contains(coloured.String(), "\x1b[31m✗ error  \x1b[0m") || strings.Contains(plain.String(), "\x1b") {
		t.Errorf("colours: %s", &coloured)
	}
	var got struct{ Checks []map[string]any }
	if err := json.Unmarshal(structured.Bytes(), &got); err != nil || len(got.Checks) != len(r.Checks) {
		t.Fatal(err, len(got.Checks))
	}
	for _, c := range got.Checks {
		for _, key := range []string{"name", "subject", "severity", "found", "why", "fix"} {
			if _, ok := c[key].(string); !ok || len(c) != 6 {
				t.Errorf("%v", c)
			}
		}
	}
}
