package bridge

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/cmd/internal/config"
)

func ecKey(t *testing.T) crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T) crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// writePair writes a self-signed certificate for name, and its key.
func writePair(t *testing.T, files config.KeyPair, name string, key crypto.Signer) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, files.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	replace(t, files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// replace puts a new file in the place of another, as ACME clients do.
func replace(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func pairIn(dir, name string) config.KeyPair {
	return config.KeyPair{CertFile: filepath.Join(dir, name+".pem"), KeyFile: filepath.Join(dir, name+".key")}
}

// shake makes a handshake, and returns the name in the certificate that the client saw
// and its version, or the client's error.
func shake(t *testing.T, server *tls.Config, client *tls.Config) (name string, state tls.ConnectionState, err error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	done := make(chan error, 1)
	go func() {
		defer b.Close()
		done <- tls.Server(b, server).Handshake()
	}()
	client.InsecureSkipVerify = true
	c := tls.Client(a, client)
	if err := c.Handshake(); err != nil {
		a.Close()
		<-done
		return "", state, err
	}
	state = c.ConnectionState()
	a.Close()
	<-done
	return state.PeerCertificates[0].DNSNames[0], state, nil
}

func quiet() (*slog.Logger, *bytes.Buffer) {
	b := &bytes.Buffer{}
	return slog.New(slog.NewTextHandler(b, nil)), b
}

// Changed files are taken at a handshake, two seconds later at most, and the old
// certificate stays as long as the new files don't fit, which is told once.
func TestCertificateFilesAreReadAgainWhenTheyChange(t *testing.T) {
	files := pairIn(t.TempDir(), "mx")
	first, second, other := ecKey(t), ecKey(t), pairIn(t.TempDir(), "other")
	synctest.Test(t, func(t *testing.T) {
		log, said := quiet()
		writePair(t, files, "first.example", first)
		server, err := serverTLS(config.TLS{Mode: "starttls", MinVersion: "1.2", Certificates: []config.KeyPair{files}}, log)
		if err != nil {
			t.Fatal(err)
		}
		want := func(what, name string) {
			t.Helper()
			if got, _, err := shake(t, server, &tls.Config{}); err != nil || got != name {
				t.Errorf("%s: the certificate of %q, %v; want that of %q", what, got, err, name)
			}
		}
		want("at the start", "first.example")
		writePair(t, other, "second.example", second)
		cert, _ := os.ReadFile(other.CertFile)
		key, _ := os.ReadFile(other.KeyFile)

		replace(t, files.CertFile, cert[:len(cert)/2])
		time.Sleep(certificateCheck)
		want("half a certificate", "first.example")
		replace(t, files.CertFile, cert)
		time.Sleep(certificateCheck)
		want("the key is still the old one", "first.example")
		for range 3 {
			time.Sleep(certificateCheck)
			want("the key is still the old one", "first.example")
		}
		if n := strings.Count(said.String(), "certificate not loaded again, the old one stays"); n != 2 {
			t.Errorf("told %d times: %s", n, said)
		}
		replace(t, files.KeyFile, key)
		want("within the pause", "first.example")
		time.Sleep(certificateCheck)
		want("both are new", "second.example")
		if !strings.Contains(said.String(), "certificate loaded again") || strings.Contains(said.String(), "PRIVATE") {
			t.Errorf("logged %s", said)
		}
		os.Remove(files.CertFile)
		time.Sleep(certificateCheck)
		want("the file is gone", "second.example")
		writePair(t, files, "first.example", first)
		time.Sleep(certificateCheck)
		want("the file is back", "first.example")
	})
}

func TestTheCertificateSuitsTheClient(t *testing.T) {
	dir := t.TempDir()
	var all []config.KeyPair
	for name, key := range map[string]crypto.Signer{"a": ecKey(t), "b": ecKey(t), "b-rsa": rsaKey(t)} {
		writePair(t, pairIn(dir, name), name[:1]+".example", key)
	}
	for _, name := range []string{"a", "b", "b-rsa"} {
		all = append(all, pairIn(dir, name))
	}
	log, _ := quiet()
	server, err := serverTLS(config.TLS{Mode: "starttls", MinVersion: "1.2", Certificates: all}, log)
	if err != nil {
		t.Fatal(err)
	}
	rsaAlone := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	for _, c := range []struct {
		asked  string
		suites []uint16
		name   string
		kind   x509.PublicKeyAlgorithm
	}{
		{"a.example", nil, "a.example", x509.ECDSA},
		{"b.example", nil, "b.example", x509.ECDSA},
		{"b.example", rsaAlone, "b.example", x509.RSA},
		{"", nil, "a.example", x509.ECDSA},
		{"", rsaAlone, "b.example", x509.RSA},
		{"nobody.example", nil, "a.example", x509.ECDSA},
	} {
		client := &tls.Config{ServerName: c.asked, CipherSuites: c.suites}
		if c.suites != nil {
			client.MaxVersion = tls.VersionTLS12
		}
		got, state, err := shake(t, server, client)
		if err != nil || got != c.name || state.PeerCertificates[0].PublicKeyAlgorithm != c.kind {
			t.Errorf("%q, %v: %q, %v", c.asked, c.suites, got, err)
		}
	}
}

// Versions below 1.2 are spoken where that was asked for, and there alone.
func TestTheMinimumVersion(t *testing.T) {
	files := pairIn(t.TempDir(), "mx")
	writePair(t, files, "mx.example", rsaKey(t))
	for _, c := range []struct {
		min    string
		client uint16
		suites []uint16
		good   bool
	}{
		{"1.0", tls.VersionTLS10, nil, true},
		{"1.0", tls.VersionTLS10, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, true},
		{"1.0", tls.VersionTLS10, []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA}, false},
		{"1.0", tls.VersionTLS13, nil, true},
		{"1.1", tls.VersionTLS10, nil, false},
		{"1.1", tls.VersionTLS11, nil, true},
		{"1.2", tls.VersionTLS11, nil, false},
		{"1.2", tls.VersionTLS12, nil, true},
		{"1.2", tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, false},
		{"1.3", tls.VersionTLS12, nil, false},
		{"1.3", tls.VersionTLS13, nil, true},
	} {
		log, _ := quiet()
		server, err := serverTLS(config.TLS{Mode: "implicit", MinVersion: c.min, Certificates: []config.KeyPair{files}}, log)
		if err != nil {
			t.Fatal(err)
		}
		_, state, err := shake(t, server, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: c.client, CipherSuites: c.suites})
		if (err == nil) != c.good || c.good && state.Version != c.client {
			t.Errorf("at least %s, client up to %s with %v: %s, %v", c.min, tls.VersionName(c.client), c.suites, tls.VersionName(state.Version), err)
		}
	}
}

func TestACertificateThatCannotBeLoadedAtTheStart(t *testing.T) {
	log, _ := quiet()
	files := pairIn(t.TempDir(), "mx")
	if _, err := serverTLS(config.TLS{Mode: "starttls", Certificates: []config.KeyPair{files}}, log); err == nil {
		t.Error("no error")
	}
	if c, err := serverTLS(config.TLS{Mode: "none"}, log); c != nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}
