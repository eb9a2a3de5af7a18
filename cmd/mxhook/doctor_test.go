package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/cmd/internal/doctor"
	"mxhook/verify/dns"
)

// doctored is a public-looking set-up on loopback: a bridge, a name server and the web
// server of an MTA-STS policy, all for the name example.com, for which Go's test server
// has a certificate.
type doctored struct {
	config, roots, resolver, policy string
}

const doctorZone = `
mail.example.             MX   10 mx.example.com.
mx.example.com.           A    198.41.0.4
4.0.41.198.in-addr.arpa.  PTR  mx.example.com.
_25._tcp.mx.example.com.  TLSA 3 1 1 KEY
other.example.            MX   10 mx.example.com.
`

func newDoctored(t *testing.T, zone string) doctored {
	t.Helper()
	dir := t.TempDir()
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS() // its certificate is for example.com and *.example.com, and signs itself
	t.Cleanup(web.Close)
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := x509.MarshalPKCS8PrivateKey(web.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf := web.Certificate()
	cert := write("cert.pem", "CERTIFICATE", leaf.Raw)
	yaml := fmt.Sprintf(`hostname: mx.example.com
limits: {disk_reserve: 0}
sinks: {disk: {type: dir, path: %q}}
routes: [{recipient: ["@mail.example", "@other.example"], deliver: [disk]}]
`, filepath.Join(dir, "mail"))
	listener := "listeners: [{address: %q, tls: {cert_file: " + cert + ", key_file: " + write("key.pem", "PRIVATE KEY", key) + "}}]\n"
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	r := startBridgeIn(t, state, yaml+fmt.Sprintf(listener, "127.0.0.1:0"))
	z, err := dns.ParseZone(strings.ReplaceAll(zone, "KEY", fmt.Sprintf("%x", sha256.Sum256(leaf.RawSubjectPublicKeyInfo))))
	if err != nil {
		t.Fatal(err)
	}
	z.Authenticate(".")
	server := dns.NewServer(z)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop(context.Background()) })
	return doctored{
		config: writeFile(t, "mxhook.yaml", yaml+fmt.Sprintf(listener, r.smtp)+fmt.Sprintf("state: %q\n", state)),
		roots:  cert, resolver: server.Addr(), policy: web.Listener.Addr().String(),
	}
}

func (d doctored) run(t *testing.T, more ...string) result {
	t.Helper()
	return runCommand(t, "", append([]string{"doctor", "-c", d.config, "--resolver", d.resolver, "--root-ca", d.roots, "--policy-address", d.policy}, more...)...)
}

func TestDoctorOfAHealthySetUp(t *testing.T) {
	d := newDoctored(t, doctorZone)
	got := d.run(t)
	if got.status != 0 || !strings.Contains(got.stdout, "\nhealthy: 0 errors, 0 could not be found out") || strings.Contains(got.stdout, "\x1b") {
		t.Fatalf("status %d\n%s%s", got.status, got.stdout, got.stderr)
	}
	for _, want := range []string{"Domain mail.example\n", "Domain other.example\n", "✓ ok       mx: 10 mx.example.com\n", "✓ ok       tlsa: ", "✓ ok       relay: ", "✓ ok       sink"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	got = d.run(t, "--json", "--domain", "Other.Example.")
	var report doctor.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.status != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	subjects := map[string]bool{}
	for _, c := range report.Checks {
		subjects[c.Subject] = true
	}
	if !subjects["other.example"] || subjects["mail.example"] {
		t.Errorf("subjects: %v", subjects)
	}
}

func TestDoctorOfABrokenOne(t *testing.T) {
	d := newDoctored(t, doctorZone+"_mta-sts.mail.example. TXT \"v=STSv1; id=1\"\nmta-sts.mail.example. A 198.41.0.4\n")
	got := d.run(t)
	if got.status != 1 || !strings.Contains(got.stdout, "✗ error    mta_sts: the policy can't be used: the certificate of the web server is not for mta-sts.mail.example") ||
		!strings.Contains(got.stdout, "not healthy: 1 errors, 0 could not") {
		t.Errorf("status %d\n%s%s", got.status, got.stdout, got.stderr)
	}
	if got := d.run(t, "--domain", "other.example"); got.status != 0 {
		t.Errorf("the other domain is well: %+v", got)
	}
	for _, args := range [][]string{{"--root-ca", "/nonexistent.pem"}, {"--root-ca", d.config}} {
		got := d.run(t, append(args, "--json")...)
		checks := doctorJSON(t, got)
		if got.status != 1 || len(checks) != 1 || checks[0].Name != "config" || !strings.Contains(checks[0].Found, "--root-ca") {
			t.Errorf("%v: %+v", args, got)
		}
		if got := d.run(t, args...); got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, "--root-ca") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

func doctorJSON(t *testing.T, got result) []doctor.Check {
	t.Helper()
	var report doctor.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	return report.Checks
}

// TestDoctorSaysWhatIsWrongWithAConfigurationInJSON: a daily job reads nothing else.
func TestDoctorSaysWhatIsWrongWithAConfigurationInJSON(t *testing.T) {
	for name, c := range map[string]struct{ old, new, found string }{
		"an unknown key":    {"sinks:", "sinkz:", "sinkz"},
		"a missing key":     {"routes:", "listeners: [{address: \":25\", tls: {cert_file: /nonexistent/c.pem, key_file: /nonexistent/k.pem}}]\nroutes:", "/nonexistent/"},
		"no such file":      {goodConfig, "", ""},
		"a word of a route": {"deliver: [app]}\n  - {name: moved", "deliver: [nobody]}\n  - {name: moved", "nobody"},
	} {
		file := writeFile(t, "mxhook.yaml", strings.Replace(goodConfig, c.old, c.new, 1))
		got := runCommand(t, "", "doctor", "--json", "-c", file)
		errors := 0
		for _, check := range doctorJSON(t, got) {
			if check.Name == "config" && check.Severity == doctor.Error && check.Subject == file && strings.Contains(check.Found, c.found) && check.Fix != "" {
				errors++
			}
		}
		if got.status != 1 || errors == 0 || got.stderr == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if got := runCommand(t, "", "doctor", "-c", file); got.status != 1 || got.stdout != "" {
			t.Errorf("%s, as text: %+v", name, got)
		}
	}
}

func TestDoctorOfADomainThatIsNotServed(t *testing.T) {
	got := runCommand(t, "", "doctor", "-c", writeFile(t, "mxhook.yaml", goodConfig), "--domain", "in.exmaple.com")
	if got.status != 2 || got.stdout != "" || !strings.Contains(got.stderr, "in.exmaple.com is not served by this configuration; served: in.example.com") {
		t.Errorf("%+v", got)
	}
}
