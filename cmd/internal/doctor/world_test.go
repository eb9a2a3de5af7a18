package doctor_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/doctor"
	"mxhook/verify/dns"
)

// authority signs certificates. The zero *authority signs nothing.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate for a key; without a parent it is self-signed.
func issue(t testing.TB, parent *authority, name string, isCA bool, notAfter time.Time, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: notAfter.Add(-800 * 24 * time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if isCA {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage, template.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	} else {
		template.DNSNames = []string{name}
	}
	by, signer := template, key
	if parent != nil {
		by, signer = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newAuthority(t testing.TB, parent *authority, name string) *authority {
	key := newKey(t)
	return &authority{issue(t, parent, name, true, time.Now().Add(400*24*time.Hour), key), key}
}

// healthyZone has public addresses; nobody connects to them.
const healthyZone = `
in.example.            MX   10 mx.in.example.
mx.in.example.         A    198.41.0.4
mx.in.example.         AAAA 2001:503:ba3e::2:30
4.0.41.198.in-addr.arpa. PTR mx.in.example.
0.3.0.0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.e.3.a.b.3.0.5.0.1.0.0.2.ip6.arpa. PTR mx.in.example.
mta-sts.in.example.    A    199.7.83.42
_mta-sts.in.example.   TXT  "v=STSv1; id=20261122"
_smtp._tls.in.example. TXT  "v=TLSRPTv1; rua=mailto:tls@in.example,https://reports.example/tls"
_25._tcp.mx.in.example. TLSA 3 1 1 KEY
elsewhere.example.     A    193.0.14.129
`

const healthyPolicy = "version: STSv1\r\nmode: enforce\r\nmx: mx.in.example\r\nmax_age: 604800\r\n"

// world is a set-up as a public MX has it; each test breaks one thing of it.
type world struct {
	t        testing.TB
	folder   string
	zone     string
	unsigned bool // DNSSEC vouches for nothing
	policy   http.HandlerFunc
	yaml     string
	root     *authority
	middle   *authority
	chain    []*x509.Certificate // of the listener, from the leaf on
	key      *ecdsa.PrivateKey   // of the leaf
	site     []*x509.Certificate // of the policy's web server
	siteKey  *ecdsa.PrivateKey
	idle     bool                   // serve does not run
	change   func(c *config.Config) // between the start of serve and the doctor
	options  func(o *doctor.Options)
	sick     func(z *dns.Zone)
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, folder: t.TempDir(), zone: healthyZone, policy: policyFile(healthyPolicy), key: newKey(t), siteKey: newKey(t)}
	w.root = newAuthority(t, nil, "Test Root")
	w.middle = newAuthority(t, w.root, "Test Intermediate")
	later := time.Now().Add(90 * 24 * time.Hour)
	w.chain = []*x509.Certificate{issue(t, w.middle, "mx.in.example", false, later, w.key), w.middle.cert}
	w.site = []*x509.Certificate{issue(t, w.middle, "mta-sts.in.example", false, later, w.siteKey), w.middle.cert}
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the application got a request") }))
	t.Cleanup(app.Close)
	w.yaml = fmt.Sprintf(`
hostname: mx.in.example
state: STATE
limits: {disk_reserve: 0}
listeners:
  - {address: "127.0.0.1:0", tls: {cert_file: CERT, key_file: KEY}}
sinks:
  app: {type: webhook, url: %q, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  disk: {type: dir, path: FOLDER/mail}
routes:
  - {recipient: "ask@in.example", accept: {url: %q}, deliver: [disk]}
  - {recipient: "@in.example", deliver: [app], optional: [disk]}
`, app.URL, app.URL)
	return w
}

func policyFile(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "mta-sts.in.example" || r.URL.Path != "/.well-known/mta-sts.txt" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, text)
	}
}

// write puts PEM blocks into a file of the world.
func (w *world) write(name string, blocks ...*pem.Block) string {
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	path := filepath.Join(w.folder, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func blocks(chain []*x509.Certificate) (all []*pem.Block) {
	for _, c := range chain {
		all = append(all, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return all
}

// files writes certificate and key and names them in the configuration.
func (w *world) files() string {
	der, err := x509.MarshalECPrivateKey(w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.NewReplacer("CERT", w.write("cert.pem", blocks(w.chain)...), "KEY", w.write("key.pem", &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
		"STATE", filepath.Join(w.folder, "state"), "FOLDER", w.folder).Replace(w.yaml)
}

// config loads the configuration, and starts serve with it unless it is to be idle.
func (w *world) config() *config.Config {
	c, problems := config.Parse("mxhook.yaml", []byte(w.files()), func(string) (string, bool) { return "", false })
	if c == nil {
		w.t.Fatal(problems)
	}
	if !w.idle {
		b, err := bridge.New(c, bridge.Options{Log: slog.New(slog.DiscardHandler), Version: "test"})
		if err == nil {
			err = b.Start()
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { b.Stop(context.Background()) })
		for i := range c.Listeners {
			if !strings.HasPrefix(c.Listeners[i].Address, "unix:") {
				c.Listeners[i].Address = b.Addrs()[i].String()
			}
		}
	}
	if w.change != nil {
		w.change(c)
	}
	return c
}

// resolver serves the zone by a real name server on loopback.
func (w *world) resolver() *dns.Caching {
	digest := sha256.Sum256(w.chain[0].RawSubjectPublicKeyInfo)
	zone, err := dns.ParseZone(strings.ReplaceAll(w.zone, "KEY", fmt.Sprintf("%x", digest)))
	if err != nil {
		w.t.Fatal(err)
	}
	if !w.unsigned {
		zone.Authenticate(".")
	}
	if w.sick != nil {
		w.sick(zone)
	}
	server := dns.NewServer(zone)
	if err := server.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { server.Stop(context.Background()) })
	return dns.New(dns.Config{Servers: []string{server.Addr()}, Timeout: 10 * time.Second}) // without EDNS, after half of it, there is no AD
}

// web serves the policy over HTTPS.
func (w *world) web() string {
	s := httptest.NewUnstartedServer(w.policy)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	certificate := tls.Certificate{PrivateKey: w.siteKey}
	for _, c := range w.site {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.StartTLS()
	w.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// examine lets the doctor look at the world.
func (w *world) examine() doctor.Report {
	c := w.config()
	made, err := bridge.Sinks(c, bridge.Options{Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(w.root.cert)
	o := doctor.Options{
		Config: c, Sinks: made, Resolver: w.resolver(), Roots: roots, PolicyAddress: w.web(),
		Synchronized: func() (bool, bool) { return true, true },
	}
	if w.options != nil {
		w.options(&o)
	}
	return doctor.Run(w.t.Context(), o)
}

// fromHere are checks whose result is the machine's, not the world's.
func fromHere(c doctor.Check) bool {
	return c.Name == "file_system" || c.Name == "open_files" || c.Name == "disk_space" || c.Name == "state_owner"
}

// freePort is a port at which nobody listens.
func freePort(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
