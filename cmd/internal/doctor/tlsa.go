package doctor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"strings"

	"mxhook/verify/dns"
)

// tlsa checks the DANE records of the hostname (RFC 7672) against the certificates of
// the mx listeners.
func (d *doctor) tlsa(ctx context.Context, f *findings) {
	if !d.fullName() {
		return // no record is right for such a hostname, which has a finding of its own
	}
	const why = "with DANE senders know by DNSSEC that we speak TLS, and with which key"
	name := "_25._tcp." + d.Config.Hostname
	ctx, seen := dns.Observe(ctx)
	records, err := d.Resolver.LookupTLSA(ctx, name)
	switch {
	case dns.IsNotFound(err):
		d.noTLSA(f, seen.Authenticated(), why)
		return
	case err != nil:
		f.unknown("tlsa", err, why)
		return
	}
	if d.withoutTLS() {
		f.add(Error, "tlsa", fmt.Sprintf("%s has TLSA records, but no mx listener offers TLS", name), "senders with DANE then don't deliver (RFC 7672 2.2)",
			"give the listener a certificate, or remove the records")
		return
	}
	usable := 0
	for _, r := range records {
		if usableTLSA(r) {
			usable++
		}
	}
	if usable == 0 {
		f.add(Error, "tlsa", fmt.Sprintf("no TLSA record of %s can be used for SMTP: %s", name, list(records, showTLSA)),
			"SMTP knows the usages 2 and 3 alone (RFC 7672 3.1.3), with a digest of the right length", "publish:\n"+d.tlsaRecords())
		return
	}
	for _, c := range d.mxCertificates() {
		if !matchesAny(records, c) {
			f.add(Error, "tlsa", fmt.Sprintf("no TLSA record of %s matches %s: %s", name, c.files.CertFile, list(records, showTLSA)),
				"senders with DANE don't deliver (RFC 7672 2.2); it happens when a renewal makes a new key",
				"publish the record of the present key beside the old one, and keep the key at renewals (certbot --reuse-key):\n"+d.tlsaRecords())
			return
		}
	}
	if !seen.Authenticated() {
		f.add(Warning, "tlsa", "the records match, but our resolver does not say that DNSSEC vouches for them",
			"without DNSSEC senders ignore TLSA records; a resolver that validates and is on this machine (unbound) would tell", "sign the zone, or ask with --resolver a validating resolver on loopback")
		return
	}
	f.ok("tlsa", "%d records, which match, and DNSSEC vouches for them", len(records))
}

// noTLSA prints the record that could be published.
func (d *doctor) noTLSA(f *findings, signed bool, why string) {
	found, fix := "no TLSA record is published (DANE), and our resolver does not say that DNSSEC vouches for that", d.tlsaRecords()
	switch {
	case fix == "":
		found = "no TLSA record is published (DANE), and there is no certificate for one"
	case signed:
		found, fix = "no TLSA record is published (DANE); the zone is signed, so that one would work", "publish:\n"+fix
	default:
		fix = "once the zone is signed with DNSSEC, and not before, publish:\n" + fix
	}
	f.add(Info, "tlsa", found, why, fix)
}

func (d *doctor) withoutTLS() bool {
	for _, l := range d.mxListeners() {
		if l.TLS.Mode != "none" {
			return false
		}
	}
	return true
}

// mxCertificates are those that senders see.
func (d *doctor) mxCertificates() (all []*certificate) {
	for _, c := range d.certificates {
		for _, l := range c.listeners {
			if l.Kind == "mx" && c.err == nil {
				all = append(all, c)
				break
			}
		}
	}
	return all
}

// tlsaRecords are the records "3 1 1" of the present keys, a line each.
func (d *doctor) tlsaRecords() string {
	var lines []string
	for _, c := range d.mxCertificates() {
		digest := sha256.Sum256(c.chain[0].RawSubjectPublicKeyInfo)
		lines = append(lines, fmt.Sprintf("_25._tcp.%s. 3600 IN TLSA 3 1 1 %x", d.Config.Hostname, digest))
	}
	return strings.Join(lines, "\n")
}

// usableTLSA tells whether a sender can use a record for SMTP.
func usableTLSA(r dns.TLSA) bool {
	length := map[uint8]int{1: sha256.Size, 2: sha512.Size}[r.Matching]
	return (r.Usage == 2 || r.Usage == 3) && r.Selector <= 1 && r.Matching <= 2 && len(r.Data) > 0 && (r.Matching == 0 || len(r.Data) == length)
}

// matchesAny tells whether a record stands for a certificate: DANE-EE for the leaf,
// DANE-TA for one above it that is in the chain.
func matchesAny(records []dns.TLSA, c *certificate) bool {
	for _, r := range records {
		if !usableTLSA(r) {
			continue
		}
		candidates := c.chain[:1]
		if r.Usage == 2 {
			candidates = c.chain[1:]
			if selfSigned(c.chain[0]) {
				candidates = c.chain
			}
		}
		for _, one := range candidates {
			if matches(r, one) {
				return true
			}
		}
	}
	return false
}

// matches compares a record with one certificate (RFC 6698 2.1).
func matches(r dns.TLSA, c *x509.Certificate) bool {
	data := c.Raw
	if r.Selector == 1 {
		data = c.RawSubjectPublicKeyInfo
	}
	switch r.Matching {
	case 1:
		digest := sha256.Sum256(data)
		data = digest[:]
	case 2:
		digest := sha512.Sum512(data)
		data = digest[:]
	}
	return bytes.Equal(data, r.Data)
}

func showTLSA(r dns.TLSA) string {
	return cut(fmt.Sprintf("%d %d %d %x", r.Usage, r.Selector, r.Matching, r.Data), 80)
}
