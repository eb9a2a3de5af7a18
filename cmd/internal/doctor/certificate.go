package doctor

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mxhook/cmd/internal/config"
)

// soonExpires is how long before its end a certificate should have been renewed:
// certbot does it 30 days before.
const soonExpires = 14 * 24 * time.Hour

// certificate is one that listeners have, read from its files.
type certificate struct {
	files     config.KeyPair
	listeners []config.Listener
	chain     []*x509.Certificate // from the leaf on; none after err
	err       error
	untrusted bool // an authority that senders know has not signed it
}

// loadCertificates reads the files of all listeners, each pair once.
func (d *doctor) loadCertificates() {
	for _, l := range d.Config.Listeners {
		for _, files := range l.TLS.Certificates {
			i := slices.IndexFunc(d.certificates, func(c *certificate) bool { return c.files == files })
			if i < 0 {
				i = len(d.certificates)
				d.certificates = append(d.certificates, d.readCertificate(files))
			}
			c := d.certificates[i]
			c.listeners = append(c.listeners, l)
		}
	}
}

func (d *doctor) readCertificate(files config.KeyPair) *certificate {
	c := &certificate{files: files}
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		c.err = err
		return c
	}
	for _, der := range pair.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			c.err = err
			return c
		}
		c.chain = append(c.chain, one)
	}
	c.untrusted = d.verify(c) != nil
	return c
}

// verify checks the chain as a sender with a policy does, but for the name and at a time
// at which the leaf is valid: those have findings of their own.
func (d *doctor) verify(c *certificate) error {
	between := x509.NewCertPool()
	for _, one := range c.chain[1:] {
		between.AddCert(one)
	}
	now := d.Now()
	if leaf := c.chain[0]; now.After(leaf.NotAfter) {
		now = leaf.NotAfter
	} else if now.Before(leaf.NotBefore) {
		now = leaf.NotBefore
	}
	_, err := c.chain[0].Verify(x509.VerifyOptions{Roots: d.Roots, Intermediates: between, CurrentTime: now})
	return err
}

// covers tells whether the certificate is for the hostname.
func (c *certificate) covers(hostname string) bool {
	return c.err == nil && c.chain[0].VerifyHostname(hostname) == nil
}

// certificate checks one certificate.
func (d *doctor) certificate(f *findings, c *certificate) {
	if c.err != nil {
		f.add(Error, "certificate", "cert_file and key_file can't be used: "+c.err.Error(), "without them there is no TLS", "check the files and their owner; the key must be that of the certificate")
		return
	}
	leaf, now := c.chain[0], d.Now()
	const renew = "renew it, for example with certbot renew; serve reads the files again by itself when they change"
	until := leaf.NotAfter.UTC().Format(time.DateOnly)
	before := len(f.checks)
	switch {
	case now.After(leaf.NotAfter):
		f.add(Error, "certificate", "it has expired on "+until, "senders that check certificates (MTA-STS) don't deliver, mail programs refuse to log in", renew)
	case now.Before(leaf.NotBefore):
		f.add(Error, "certificate", "it is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339), "until then senders that check certificates don't deliver", "check the clock of this machine")
	case leaf.NotAfter.Sub(now) < soonExpires:
		f.add(Warning, "certificate", "it ends on "+until, "after that senders that check certificates (MTA-STS) don't deliver", renew)
	}
	d.certificateNames(f, c)
	d.certificateChain(f, c)
	if why := weak(leaf); why != "" {
		f.add(Warning, "certificate", "weak: "+why, "new senders refuse the handshake", "get one with an ECDSA key of P-256, or RSA of 2048 bits")
	}
	if len(f.checks) == before {
		f.ok("certificate", "for %s, until %s", list(leaf.DNSNames, text), until)
	}
}

// certificateNames wants one of a listener's certificates to be for the hostname.
func (d *doctor) certificateNames(f *findings, c *certificate) {
	name := d.Config.Hostname
	if c.covers(name) || !d.fullName() { // a wrong hostname has a finding of its own
		return
	}
	for _, l := range c.listeners {
		other := slices.ContainsFunc(d.certificates, func(o *certificate) bool {
			return slices.Contains(l.TLS.Certificates, o.files) && o.covers(name)
		})
		if !other {
			f.add(Error, "certificate", fmt.Sprintf("it is for %s and not for %s", orNobody(c.chain[0].DNSNames), name),
				"senders that check certificates (MTA-STS) look for the name of the MX record, mail programs for the server's name",
				"get one for "+name+", or set hostname to the name that the MX record has")
			return
		}
	}
	f.add(Info, "certificate", fmt.Sprintf("it is for %s; another of the listener's is for %s", orNobody(c.chain[0].DNSNames), name), "", "")
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "no name (subjectAltName is empty)"
	}
	return list(names, text)
}

// errNoRoots is why a chain can't be judged.
var errNoRoots = errors.New("this system has no authorities to check certificates by; install ca-certificates, or name a file with --root-ca")

// certificateChain tells a chain that is not complete from one that nobody trusts.
func (d *doctor) certificateChain(f *findings, c *certificate) {
	if !c.untrusted {
		return
	}
	last := c.chain[len(c.chain)-1]
	const then = "senders that heed an MTA-STS policy don't deliver; others encrypt without looking, and DANE needs no authority"
	switch {
	case selfSigned(c.chain[0]):
		f.add(Warning, "certificate", "it is self-signed", then, "get one from an authority, for example with certbot, or publish the TLSA record and no MTA-STS policy")
	case d.noRoots:
		f.unknown("certificate", errNoRoots, then)
	case selfSigned(last):
		f.add(Warning, "certificate", fmt.Sprintf("it is signed by an authority that is not publicly trusted, %s", quoted(last.Subject.CommonName)), then,
			"get one from a public authority, or publish the TLSA record and no MTA-STS policy")
	default:
		f.add(Error, "certificate", fmt.Sprintf("the chain is not complete: the certificate of %s is missing, or that is no public authority", quoted(last.Issuer.CommonName)),
			"who checks the certificate can't find the way to an authority; browsers sometimes can, mail servers can't", "name the file with the whole chain in cert_file: certbot calls it fullchain.pem")
	}
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// weak says what is too weak about a certificate, or "".
func weak(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 {
			return fmt.Sprintf("an RSA key of %d bits", bits)
		}
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < 256 {
			return fmt.Sprintf("an ECDSA key of %d bits", bits)
		}
	}
	if a := c.SignatureAlgorithm.String(); !selfSigned(c) && (strings.HasPrefix(a, "SHA1-") || strings.HasSuffix(a, "-SHA1") || strings.HasPrefix(a, "MD5")) {
		return "signed with " + a
	}
	return ""
}

// tlsFlaw tells what an mx listener lacks that senders with an MTA-STS policy want (RFC
// 8461 4.1), and what mends it; "" where each has TLS with a certificate that is good.
func (d *doctor) tlsFlaw() (lacks, fix string) {
	for _, l := range d.mxListeners() {
		if l.TLS.Mode == "none" {
			return "TLS, which no mx listener offers", "listeners: [{address: \":25\", tls: {cert_file: fullchain.pem, key_file: privkey.pem}}]"
		}
		var flaw string
		good := false
		for _, c := range d.certificates {
			if slices.Contains(l.TLS.Certificates, c.files) {
				why := d.certificateFlaw(c)
				good = good || why == ""
				flaw = cmp.Or(flaw, why)
			}
		}
		if !good && flaw != "" {
			return flaw, "get one for " + d.Config.Hostname + ", for example with certbot, and name its fullchain.pem in cert_file"
		}
	}
	return "", ""
}

// certificateFlaw says why a sender that checks certificates does not take one, or "".
func (d *doctor) certificateFlaw(c *certificate) string {
	switch now := d.Now(); {
	case c.err != nil:
		return "a certificate, and that of " + c.files.CertFile + " can't be used"
	case d.fullName() && !c.covers(d.Config.Hostname):
		return "a certificate for the name of the MX record, and ours is not for " + d.Config.Hostname
	case now.After(c.chain[0].NotAfter):
		return "a certificate that is valid, and ours has expired"
	case now.Before(c.chain[0].NotBefore):
		return "a certificate that is valid, and ours is not yet"
	case c.untrusted && !d.noRoots:
		return "a certificate that an authority has signed, and ours is not, or its chain is not complete"
	}
	return ""
}
