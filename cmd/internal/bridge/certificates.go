package bridge

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"mxhook/cmd/internal/config"
)

// certificateCheck is how often a handshake looks whether certificate files have
// changed, at most.
const certificateCheck = 2 * time.Second

var tlsVersions = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// serverTLS loads the certificates of a listener; nil without TLS.
func serverTLS(c config.TLS, log *slog.Logger) (*tls.Config, error) {
	if c.Mode == "none" || len(c.Certificates) == 0 {
		return nil, nil
	}
	all := make(certificates, 0, len(c.Certificates))
	for _, files := range c.Certificates {
		k := &keyPair{files: files, log: log}
		if err := k.load(); err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	t := &tls.Config{GetCertificate: all.choose, MinVersion: tlsVersions[c.MinVersion]}
	if t.MinVersion < tls.VersionTLS12 {
		t.CipherSuites = oldSuites()
	}
	return t, nil
}

// oldSuites are the usual ones and those that senders of TLS 1.0 often have alone:
// AES with the RSA key exchange. Neither RC4 nor 3DES is among them.
func oldSuites() (ids []uint16) {
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
}

// certificates are those of a listener, in the configuration's order.
type certificates []*keyPair

// choose returns the first certificate that suits the name and the algorithms that
// the client asks for, else the first of all: most senders of mail check neither.
func (all certificates) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for _, k := range all {
		if c := k.current(); hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return all[0].current(), nil
}

// keyPair is a certificate with its key, as the files have it. It is safe for
// concurrent use.
type keyPair struct {
	files config.KeyPair
	log   *slog.Logger

	mu          sync.Mutex
	certificate *tls.Certificate
	loaded      [2]os.FileInfo // of the certificate's files as they were loaded
	checked     time.Time
	told        string // the last failure in the log
}

// current returns the certificate, after a look at its files when the last one is
// some time ago. The old one stays when the new files are no certificate with its
// key; they may be half written, so the next look comes again.
func (k *keyPair) current() *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.checked) >= certificateCheck {
		k.checked = now
		k.look()
	}
	return k.certificate
}

func (k *keyPair) look() {
	now, err := k.stat()
	if err == nil && unchanged(k.loaded[0], now[0]) && unchanged(k.loaded[1], now[1]) {
		return
	}
	if err == nil {
		err = k.read(now)
	}
	switch {
	case err == nil:
		k.told = ""
		k.log.Info("certificate loaded again", "cert_file", k.files.CertFile, "names", k.certificate.Leaf.DNSNames, "not_after", k.certificate.Leaf.NotAfter)
	case k.told != err.Error():
		k.told = err.Error()
		k.log.Error("certificate not loaded again, the old one stays", "error", err)
	}
}

func (k *keyPair) load() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checked = time.Now()
	now, err := k.stat()
	if err == nil {
		err = k.read(now)
	}
	return err
}

func (k *keyPair) stat() (now [2]os.FileInfo, err error) {
	for i, name := range []string{k.files.CertFile, k.files.KeyFile} {
		if now[i], err = os.Stat(name); err != nil {
			return now, fmt.Errorf("tls: %w", err)
		}
	}
	return now, nil
}

// read loads the files, whose state was now.
func (k *keyPair) read(now [2]os.FileInfo) error {
	c, err := tls.LoadX509KeyPair(k.files.CertFile, k.files.KeyFile)
	if err != nil {
		return fmt.Errorf("tls: certificate %s with key %s: %w", k.files.CertFile, k.files.KeyFile, err)
	}
	k.certificate, k.loaded = &c, now
	return nil
}

func unchanged(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
