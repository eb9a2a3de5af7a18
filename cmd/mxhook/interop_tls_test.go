package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a self-signed certificate and its key, and returns the files.
func certificate(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private)
}

func tlsConfig(t *testing.T, mode, url string) string {
	cert, key := certificate(t, "mx.in.example")
	return strings.ReplaceAll(interopConfig, "%URL%", url) + fmt.Sprintf(
		"listeners: [{address: \"127.0.0.1:0\", tls: {mode: %s, cert_file: %q, key_file: %q}}]\n", mode, cert, key)
}

func TestMessagesOverTLS(t *testing.T) {
	a := startApp(t)
	for mode, wants := range map[string]struct{ clear, encrypted string }{
		"starttls": {"250 ", "250 "}, "required": {"530 5.7.0 ", "250 "},
	} {
		b := startBridge(t, tlsConfig(t, mode, a.URL))
		if got := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage)); !strings.HasPrefix(got, wants.clear) {
			t.Errorf("%s in clear: %q", mode, got)
		} else if mode == "starttls" {
			a.next(t)
		}
		m := mailing{server: b.smtp, helo: "mail.sender.example", from: "ann@sender.example", rcpts: []string{"support@in.example"},
			startTLS: &tls.Config{InsecureSkipVerify: true}}
		if got, err := m.send(t.Context(), strings.NewReader(smallMessage)); err != nil || !strings.HasPrefix(got, wants.encrypted) {
			t.Errorf("%s encrypted: %q %v", mode, got, err)
			continue
		}
		if p := a.next(t).document(t); p.Envelope.Protocol != "ESMTPS" || p.Envelope.TLS == nil || p.Envelope.TLS.Version != "TLS 1.3" {
			t.Errorf("%s: the envelope is %+v", mode, p.Envelope)
		}
	}
}

func TestSimpleClientsOverTLS(t *testing.T) {
	for name, c := range map[string]struct {
		program, mode string
		args          func(address string) []string
	}{
		"swaks, STARTTLS": {"swaks", "starttls", func(address string) []string {
			return []string{"--server", address, "--tls", "--from", "ann@sender.example", "--to", "support@in.example", "--silent", "1"}
		}},
		"curl, STARTTLS": {"curl", "required", func(address string) []string {
			return []string{"-sS", "-k", "--ssl-reqd", "--noproxy", "*", "smtp://" + address, "--mail-from", "ann@sender.example",
				"--mail-rcpt", "support@in.example", "--upload-file", "-"}
		}},
		"curl, implicit TLS": {"curl", "implicit", func(address string) []string {
			return []string{"-sS", "-k", "--noproxy", "*", "smtps://" + address, "--mail-from", "ann@sender.example",
				"--mail-rcpt", "support@in.example", "--upload-file", "-"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			path := tool(t, c.program)
			a := startApp(t)
			b := startBridge(t, tlsConfig(t, c.mode, a.URL))
			cmd := exec.Command(path, c.args(b.smtp)...)
			cmd.Stdin = strings.NewReader(smallMessage)
			out, err := cmd.CombinedOutput()
			if strings.Contains(string(out), "TLS not available") {
				missing(t, c.program+" with TLS (libnet-ssleay-perl)")
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if p := a.next(t).document(t); p.Envelope.Protocol != "ESMTPS" {
				t.Errorf("the envelope is %+v", p.Envelope)
			}
		})
	}
}
