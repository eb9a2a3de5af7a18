package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/routing"
)

// load parses a file of testdata that has no faults.
func load(t testing.TB, name string) *Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c, problems := parse(t, string(text))
	if c == nil {
		t.Fatal(lines(problems))
	}
	return c
}

func TestSmallestFileHasTheDefaults(t *testing.T) {
	c := load(t, "smallest-file-has-only-the-warning-of-tls")
	want := &Config{
		Hostname:  "mx.example.com",
		State:     "./mxhook-data",
		Log:       Log{Level: "info"},
		Listeners: []Listener{{Address: ":25", Kind: "mx", TLS: TLS{Mode: "none", MinVersion: "1.2"}}},
		Limits: Limits{MessageSize: 25 << 20, Recipients: 100, Connections: 1000, ConnectionsPerIP: 50,
			Memory: 256 << 20, DiskReserve: 1 << 30, CommandTime: 5 * time.Minute, MinRate: 500, TransactionTime: time.Hour, Errors: 20},
		Verify:   Verify{Timeout: 10 * time.Second},
		Delivery: Delivery{Budget: 30 * time.Second, Ledger: 192 * time.Hour},
		Spool:    Spool{MaxBytes: 10 << 30, MaxAge: 72 * time.Hour},
		Sinks: []Sink{{Name: "app", Type: "webhook", Webhook: &Webhook{
			URL: "https://app.example.com/inbound", Format: "mxhook", Secrets: []Secret{secretA}, Timeout: 25 * time.Second,
			Attempts: 2, Concurrency: 64, FanOut: "message", Include: Include{Attachments: "inline", Raw: "none", HTML: true}, RejectOn: []int{406},
			Circuit: Circuit{Failures: 5, Open: 5 * time.Second},
		}}},
		Routes: []routing.Rule{{Name: "1", Recipient: []string{"@in.example.com"}, Deliver: []string{"app"}}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %#v\nwant %#v", c, want)
	}
}

func TestEveryAvailableKeyArrives(t *testing.T) {
	c := load(t, "all-keys-that-are-available")
	w := c.Sinks[0].Webhook
	if string(w.URL) != "https://app.example.com/mail/{ticket}" || len(w.Captures) != 1 || w.FanOut != "recipient" {
		t.Errorf("url %q, captures %q, fan-out %q", string(w.URL), w.Captures, w.FanOut)
	}
	if len(w.Secrets) != 2 || string(w.Secrets[1]) != secretB {
		t.Errorf("%d secrets", len(w.Secrets))
	}
	if string(w.Headers["Authorization"]) != "Bearer canary-6e1b" {
		t.Errorf("headers %q", string(w.Headers["Authorization"]))
	}
	if want := (Circuit{Failures: 8, Open: 2500 * time.Millisecond}); w.Circuit != want {
		t.Errorf("circuit %+v, want %+v", w.Circuit, want)
	}
	if !reflect.DeepEqual(w.RejectOn, []int{406, 410}) {
		t.Errorf("reject_on %v", w.RejectOn)
	}
	if want := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}; !reflect.DeepEqual(c.Verify.Resolver, want) {
		t.Errorf("resolver %v", c.Verify.Resolver)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")}; !reflect.DeepEqual(c.Verify.TrustedRelays, want) {
		t.Errorf("trusted relays %v", c.Verify.TrustedRelays)
	}
	if want := []string{"lists.example", "xn--mnchen-3ya.example"}; !reflect.DeepEqual(c.Verify.TrustedARCSealers, want) {
		t.Errorf("trusted sealers %q", c.Verify.TrustedARCSealers)
	}
	if want := (Reject{DMARC: true, SPF: true, NullMX: true, NoPTR: true}); c.Verify.Reject != want {
		t.Errorf("reject %+v", c.Verify.Reject)
	}
	if want := (Listener{Address: "unix:/run/mxhook/lmtp.sock", Kind: "lmtp", TLS: TLS{Mode: "none", MinVersion: "1.2"}}); !reflect.DeepEqual(c.Listeners[1], want) {
		t.Errorf("listener %+v", c.Listeners[1])
	}
	if c.Log != (Log{"debug", "text"}) || c.Admin.Address != "127.0.0.1:8025" || c.Admin.Token != "" {
		t.Errorf("log %v, admin %v", c.Log, c.Admin)
	}
	if c.Delivery.Ledger != 24*time.Hour {
		t.Errorf("ledger %v", c.Delivery.Ledger)
	}
	if c.Spool.MaxBytes != 1<<30 || c.Spool.MaxAge != 24*time.Hour {
		t.Errorf("spool %+v", c.Spool)
	}
	r := c.Routes[0]
	if !r.Repeat || c.Routes[1].Repeat {
		t.Errorf("deduplicate: %v, %v", !r.Repeat, !c.Routes[1].Repeat)
	}
	if !r.NeedsCaptures || !r.Continue || len(r.Sender) != 2 || r.Optional[0] != "disk" || r.Name != "tickets" {
		t.Errorf("route %+v", r)
	}
	if got := c.Routes[1].Reject.String(); got != "550 5.1.6 the mailbox has moved" {
		t.Errorf("reject %q", got)
	}
	if s, p, d := c.Routes[3], c.Routes[4], c.Routes[5]; !s.Spool || s.SpillAfter != 0 || p.Spool || p.SpillAfter != 4*time.Hour || d.Spool || d.SpillAfter != 0 {
		t.Errorf("spool: %+v, %+v, %+v", s, p, d)
	}
	if !c.Routes[2].Discard || c.Routes[2].Domains[0] != "in.example.com" {
		t.Errorf("discard %+v", c.Routes[2])
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		name, file string
		get        func(*Config) any
		want       any
	}{
		{"an empty list refuses on no status", "reject-on-nothing", func(c *Config) any { return c.Sinks[0].Webhook.RejectOn }, []int{}},
		{"only ${ is special, and $${ is itself", "dollar-signs-that-are-no-variables", func(c *Config) any { return c.State }, "./a$b$$c${CANARY}$"},
		{"a variable in a number", "variable-in-a-number", func(c *Config) any { return c.Limits.Recipients }, 2525},
		{"an unset variable takes its default", "variable-with-a-default", func(c *Config) any { return c.Admin }, Admin{Address: "127.0.0.1:8025"}},
		{"an empty variable takes its default", "variable-that-is-empty-takes-the-default", func(c *Config) any { return c.Hostname }, "mx.example.com"},
		{"without hostname it is the host's", "hostname-by-default-is-the-hosts", func(c *Config) any { return c.Hostname }, "mx.host.example"},
		{"a size with a fraction", "sizes-in-all-units", func(c *Config) any { return c.Limits.MessageSize }, int64(3 << 19)},
		{"a spool may be as small as one likes", "small-spool", func(c *Config) any { return c.Spool }, Spool{64 << 10, 2 * time.Second}},
		{"a url with captures is recipient", "fan-out-message-with-captures", func(c *Config) any { return c.Sinks[0].Webhook.FanOut }, "recipient"},
		{"keys rotate in their order", "webhook-secrets-rotate", func(c *Config) any { return c.Sinks[0].Webhook.Secrets }, []Secret{secretA, secretB}},
		{"include that stores", "stores", func(c *Config) any { return c.Sinks[0].Webhook.Include }, Include{"store:files", "store:archive", true}},
		{"the base of a store's URLs has no final slash", "stores", func(c *Config) any { return *c.Sinks[2].Dir }, Dir{"./files", "https://files.example.com/mail", false}},
		{"a Maildir", "proxy-and-maildir", func(c *Config) any { return *c.Sinks[5].Dir }, Dir{"./Maildir", "", true}},
		{"a proxy", "proxy-and-maildir", func(c *Config) any { return c.Sinks[0].Webhook.Proxy }, Secret("https://user:canary-6e1b@proxy.example:3128")},
		{"include", "what-is-switched-off", func(c *Config) any { return c.Sinks[0].Webhook.Include }, Include{"metadata", "inline", false}},
		{"a bom changes nothing", "bom-is-dropped", func(c *Config) any { return c.Hostname }, "mx.example.com"},
		{"a resolver without a port", "smallest-file-has-only-the-warning-of-tls", func(c *Config) any { return c.Verify.Resolver }, []netip.AddrPort(nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.get(load(t, c.file)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

func TestSizesAndDurations(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "500": 500, "1KiB": 1024, "25MiB": 25 << 20, "1GiB": 1 << 30, "1kB": 1000, "2MB": 2_000_000, "3GB": 3_000_000_000,
		"1.5MiB": 3 << 19, "10 MiB": 10 << 20, "7B": 7,
		"": -1, "MiB": -1, "-1": -1, "1.5": -1, "1e3MiB": -1, "NaNMiB": -1, "infMiB": -1, "0x10": -1, "99999999999999999999": -1, "9999999999TiB": -1, "1mib": -1, "1 000": -1,
	} {
		if got, err := parseSize(s); err == nil && got != want || err != nil && want != -1 {
			t.Errorf("size %q: %d, %v; want %d", s, got, err, want)
		}
	}
	for s, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "30s": 30 * time.Second, "1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond,
		"": -1, "30": -1, "-1s": -1, "1d": -1, "s": -1, "1000000h": time.Duration(1000000 * time.Hour), "99999999h": -1,
	} {
		if got, err := parseDuration(s); err == nil && got != int64(want) || err != nil && want != -1 {
			t.Errorf("duration %q: %d, %v; want %d", s, got, err, want)
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	const canary = "canary-6e1b"
	s := Secret(canary)
	c := &Config{Admin: Admin{Token: s}, Sinks: []Sink{{Webhook: &Webhook{URL: s, Secrets: []Secret{s}, Headers: map[string]Secret{"Authorization": s}}}}}
	var b bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b", "%t"} {
		for _, v := range []any{s, &s, c, *c, c.Sinks, c.Sinks[0].Webhook, *c.Sinks[0].Webhook} {
			fmt.Fprintf(&b, format+"\n", v)
		}
	}
	fmt.Fprintln(&b, s, []Secret{s}, struct{ S Secret }{s}, s.String(), s.GoString())
	for _, h := range []slog.Handler{slog.NewJSONHandler(&b, nil), slog.NewTextHandler(&b, nil)} {
		slog.New(h).Info("x", "secret", s, "config", c, "webhook", c.Sinks[0].Webhook)
	}
	if err := json.NewEncoder(&b).Encode(c); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&b, fmt.Errorf("failed: %v", s))
	if out := b.String(); strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) || !strings.Contains(out, redacted) {
		t.Errorf("printed: %s", out)
	}
	if Secret("").String() != "" || string(s) != canary {
		t.Error("an empty secret is not empty, or the value is lost")
	}
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := func(token, secret string) string {
		return fmt.Sprintf("hostname: mx.example.com\nadmin: {address: '127.0.0.1:1', token_file: %q}\nsinks:\n  app: {type: webhook, url: 'https://a.example/', secret_file: %s}\nroutes: [{recipient: '@in.example', deliver: [app]}]\n", token, secret)
	}
	a, b := write("a", secretA+"\n"), write("b", secretB+"\r\n")
	c, problems := parse(t, text(write("token", "canary-6e1b\n"), fmt.Sprintf("[%q, %q]", a, b)))
	if c == nil {
		t.Fatal(lines(problems))
	}
	if string(c.Admin.Token) != "canary-6e1b" || !reflect.DeepEqual(c.Sinks[0].Webhook.Secrets, []Secret{secretA, secretB}) {
		t.Error("the last line end is not trimmed")
	}
	for _, bad := range []struct{ name, text, want string }{
		{"empty", "\n", "it is empty"},
		{"large", strings.Repeat("x", maxSecretFile+1), "larger than 64KiB"},
	} {
		_, problems := parse(t, text(write(bad.name, bad.text), fmt.Sprintf("%q", write("wrong", "canary-6e1b"))))
		got := lines(problems)
		if !strings.Contains(got, bad.want) || !strings.Contains(got, "secret must be whsec_") || strings.Contains(got, "canary") {
			t.Errorf("%s: got %s", bad.name, got)
		}
	}
}

func TestHeaderFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte("Bearer canary-6e1b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := parse(t, fmt.Sprintf("hostname: mx.example.com\nsinks:\n  app: {type: webhook, url: 'https://a.example/', headers: {Authorization_file: %q, X-Other: x}}\nroutes: [{recipient: '@in.example', deliver: [app]}]\n", name))
	if c == nil {
		t.Fatal(lines(problems))
	}
	want := map[string]Secret{"Authorization": "Bearer canary-6e1b", "X-Other": "x"}
	if got := c.Sinks[0].Webhook.Headers; !reflect.DeepEqual(got, want) {
		t.Errorf("got %d headers, want the file's content without its line end under Authorization", len(got))
	}
}

func TestCertificate(t *testing.T) {
	cert, key := writeCertificate(t)
	file := func(keyFile string) string {
		return fmt.Sprintf("hostname: mx.example.com\nlisteners: [{address: ':25', tls: {cert_file: %q, key_file: %q}}]\nsinks: {disk: {type: dir, path: ./mail}}\nroutes: [{recipient: '@in.example', deliver: [disk]}]\n", cert, keyFile)
	}
	c, problems := parse(t, file(key))
	if c == nil || len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	if !c.Listeners[0].TLS.Equal(TLS{Mode: "starttls", MinVersion: "1.2", Certificates: []KeyPair{{cert, key}}}) {
		t.Errorf("got %+v", c.Listeners[0].TLS)
	}
	_, other := writeCertificate(t)
	if _, problems = parse(t, file(other)); !strings.Contains(lines(problems), "private key does not match public key") {
		t.Errorf("a key of another certificate: %s", lines(problems))
	}
}

func TestSeveralCertificates(t *testing.T) {
	cert1, key1 := writeCertificate(t)
	cert2, key2 := writeCertificate(t)
	file := func(tls string) string {
		return "hostname: mx.example.com\nlisteners: [{address: ':25', tls: " + tls + "}]\nsinks: {disk: {type: dir, path: ./mail}}\nroutes: [{recipient: '@in.example', deliver: [disk]}]\n"
	}
	want := TLS{Mode: "required", MinVersion: "1.0", Certificates: []KeyPair{{cert1, key1}, {cert2, key2}}}
	for _, form := range []string{
		fmt.Sprintf("[{mode: required, min_version: 1.0, cert_file: %q, key_file: %q}, {cert_file: %q, key_file: %q}]", cert1, key1, cert2, key2),
		fmt.Sprintf("[{mode: required, cert_file: %q, key_file: %q}, {mode: required, min_version: '1.0', cert_file: %q, key_file: %q}]", cert1, key1, cert2, key2),
		fmt.Sprintf("{mode: required, min_version: \"1.0\", cert_file: [%q, %q], key_file: [%q, %q]}", cert1, cert2, key1, key2),
	} {
		c, problems := parse(t, file(form))
		if c == nil || len(problems) > 0 || !c.Listeners[0].TLS.Equal(want) {
			t.Errorf("%s:\n%s%+v", form, lines(problems), c)
		}
	}
	for form, fault := range map[string]string{
		fmt.Sprintf("[{mode: required, cert_file: %q, key_file: %q}, {mode: starttls, cert_file: %q, key_file: %q}]", cert1, key1, cert2, key2): "mode contradicts that of another certificate",
		fmt.Sprintf("[{cert_file: %q, key_file: %q}, {cert_file: %q}]", cert1, key1, cert2):                                                     "belong together",
		fmt.Sprintf("{cert_file: [%q, %q], key_file: %q}", cert1, cert2, key1):                                                                  "belong together",
		fmt.Sprintf("{cert_file: [%q, %q], key_file: [%q, %q]}", cert1, cert2, key2, key1):                                                      "private key does not match",
		fmt.Sprintf("[{cert_file: %q, key_file: %q}, {cert_file: %q, key_file: /no/such.key}]", cert1, key1, cert2):                             "no such file",
		fmt.Sprintf("{cert_file: %q, key_file: %q, min_version: 1.4}", cert1, key1):                                                             "must be one of 1.0, 1.1, 1.2, 1.3",
		fmt.Sprintf("{cert_file: %q, key_file: ''}", cert1):                                                                                     "must name a path",
		"[]": "is empty",
	} {
		if c, problems := parse(t, file(form)); c != nil || !strings.Contains(lines(problems), fault) {
			t.Errorf("%s: want %q:\n%s", form, fault, lines(problems))
		}
	}
}

// writeCertificate makes a certificate of its own authority.
func writeCertificate(t testing.TB) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mx.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, bytes.Repeat([]byte("#\n"), maxFile/2+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"a file that isn't there", filepath.Join(dir, "no.yaml"), "no.yaml: can't be read: no such file or directory\n"},
		{"a folder", dir, ": can't be read: is a directory\n"},
		{"a file that is too large", big, "big.yaml: the file is larger than 4MiB\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := Load(c.path, testEnv)
			if got != nil || !strings.HasSuffix(lines(problems), c.want) {
				t.Errorf("got %v, %s", got, lines(problems))
			}
		})
	}
	c, problems := Load("testdata/smallest-file-has-only-the-warning-of-tls.yaml", testEnv)
	if c == nil || problems[0].File != "testdata/smallest-file-has-only-the-warning-of-tls.yaml" {
		t.Error(lines(problems))
	}
}

func TestFiveFaults(t *testing.T) {
	text, err := os.ReadFile("testdata/five-faults-give-five-lines.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := parse(t, string(text))
	faults := 0
	for _, p := range problems {
		if !p.Warning {
			faults++
		}
		if p.Line == 0 || p.Column == 0 {
			t.Errorf("no place: %s", p)
		}
	}
	if c != nil || faults != 5 {
		t.Errorf("%d faults:\n%s", faults, lines(problems))
	}
}

func TestDevelopment(t *testing.T) {
	for _, c := range []struct {
		name    string
		options DevelopmentOptions
		sink    string
		err     string
	}{
		{"defaults", DevelopmentOptions{}, "disk", ""},
		{"a webhook in the folder's place", DevelopmentOptions{To: "http://127.0.0.1:9999/in"}, "webhook", ""},
		{"another address", DevelopmentOptions{Listen: "127.0.0.1:0"}, "disk", ""},
		{"a wrong address", DevelopmentOptions{Listen: "2525"}, "", "HOST:PORT"},
		{"a wrong URL", DevelopmentOptions{To: "ftp://canary@x.example"}, "", "must begin with"},
		{"a URL with captures", DevelopmentOptions{To: "https://x.example/{a}"}, "", "nothing is captured"},
		{"a wrong domain", DevelopmentOptions{Domains: []string{"a b"}}, "", "holds ' '"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Development(c.options)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "canary") {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Sinks[0].Name != c.sink || got.Routes[0].Deliver[0] != c.sink || got.Routes[0].Name != "all" || got.Hostname == "" || got.Delivery.Budget != 30*time.Second || got.Delivery.Ledger != 0 {
				t.Errorf("got %+v", got)
			}
			if w := got.Sinks[0].Webhook; w != nil && (w.Timeout != 25*time.Second || w.Attempts != 2 || !w.Include.HTML || w.FanOut != "message" || w.Circuit.Failures != 5 || string(w.URL) != c.options.To) {
				t.Errorf("webhook %+v", w)
			}
		})
	}
	t.Run("every domain, or those that are named", func(t *testing.T) {
		for domains, served := range map[string]bool{"": true, "in.example": true, "two.example": false} {
			o := DevelopmentOptions{}
			if domains != "" {
				o.Domains = []string{domains}
			}
			c, err := Development(o)
			if err != nil {
				t.Fatal(err)
			}
			table, _ := routing.Compile(c.Routes, routing.Options{Hostname: c.Hostname})
			d := table.Recipient(inbound.Path{}, inbound.Path{LocalPart: "bob", Domain: "in.example"})
			if (d.Err == nil) != served {
				t.Errorf("domains %q: %v", domains, d.Err)
			}
			if d := table.Recipient(inbound.Path{}, inbound.Path{LocalPart: "Postmaster"}); d.Err != nil {
				t.Errorf("domains %q: bare postmaster: %v", domains, d.Err)
			}
		}
	})
}
