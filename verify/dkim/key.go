package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// Key sizes in bits. Shorter ones must not be taken for valid (RFC 8301 3.2); longer
// ones only cost time.
const (
	minRSA = 1024
	maxRSA = 8192
)

// maxKeyRecord is how long a key record may be. One of 8192 bits has 1500 octets.
const maxKeyRecord = 8 << 10

// key is a public key record (RFC 6376 3.6.1).
type key struct {
	rsa     *rsa.PublicKey
	ed25519 ed25519.PublicKey
	hashes  []string // h=; nil allows all
	strict  bool     // t=s: the domain of i= is d= itself
	testing bool     // t=y
	bits    int      // its size, also of one that is too short
}

// problem is why a signature is no pass.
type problem struct {
	result authres.Result
	reason string
}

func permanent(format string, args ...any) *problem {
	return &problem{authres.PermError, fmt.Sprintf(format, args...)}
}

// fetchKey asks for the key of a signature.
func fetchKey(ctx context.Context, r dns.Resolver, selector, domain string) (*key, *problem) {
	name := selector + "._domainkey." + domain
	texts, err := r.LookupTXT(ctx, name)
	switch {
	case dns.IsNotFound(err):
		return nil, permanent("no key at %s", name)
	case dns.IsTemporary(err):
		return nil, &problem{authres.TempError, "the key's name server does not answer"}
	case err != nil:
		return nil, permanent("no key at %s", name)
	case len(texts) != 1:
		// RFC 6376 3.6.2.2 leaves several records undefined.
		return nil, permanent("%d records where one key is wanted, at %s", len(texts), name)
	}
	return parseKey(texts[0])
}

func parseKey(text string) (*key, *problem) {
	if len(text) > maxKeyRecord {
		return nil, permanent("the key record has more than %d octets", maxKeyRecord)
	}
	tags, err := ParseTags(text)
	if err != nil {
		return nil, permanent("the key record is malformed")
	}
	if v, ok := tags["v"]; ok && v != "DKIM1" {
		return nil, permanent("the key record is of another version")
	}
	// The words of a key record are in any case (RFC 5234 2.3), but for its version.
	if s, ok := tags["s"]; ok && !slices.Contains(words(s), "*") && !slices.Contains(words(s), "email") {
		return nil, permanent("the key is not for mail")
	}
	p, ok := tags["p"]
	if !ok {
		return nil, permanent("the key record holds no key")
	}
	if p = compact(p); p == "" {
		return nil, permanent("the key is revoked")
	}
	der, err := base64.StdEncoding.DecodeString(p)
	if err != nil {
		return nil, permanent("the key record is malformed")
	}
	flags := words(tags["t"])
	k := &key{strict: slices.Contains(flags, "s"), testing: slices.Contains(flags, "y")}
	if h, ok := tags["h"]; ok {
		k.hashes = append([]string{}, words(h)...)
	}
	switch t, ok := tags["k"]; {
	case !ok || strings.EqualFold(t, "rsa"):
		return k, k.setRSA(der)
	case strings.EqualFold(t, "ed25519"):
		if len(der) != ed25519.PublicKeySize {
			return nil, permanent("the ed25519 key has %d bytes", len(der))
		}
		k.ed25519, k.bits = der, 8*len(der)
		return k, nil
	}
	return nil, permanent("the key is of an unknown type")
}

// setRSA takes both forms of a key: SubjectPublicKeyInfo, which everybody uses, and
// RSAPublicKey, which RFC 6376 names (erratum 3017).
func (k *key) setRSA(der []byte) *problem {
	if len(der) > maxRSA/8+512 {
		return &problem{authres.Policy, fmt.Sprintf("the RSA key has more than %d bits", maxRSA)}
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		if public, err = x509.ParsePKCS1PublicKey(der); err != nil {
			return permanent("the RSA key is malformed")
		}
	}
	rsaKey, ok := public.(*rsa.PublicKey)
	if !ok {
		return permanent("the key is no RSA key")
	}
	k.bits = rsaKey.N.BitLen()
	switch {
	case k.bits < minRSA:
		return &problem{authres.Policy, fmt.Sprintf("the RSA key has %d bits, fewer than %d", k.bits, minRSA)}
	case k.bits > maxRSA:
		return &problem{authres.Policy, fmt.Sprintf("the RSA key has more than %d bits", maxRSA)}
	}
	k.rsa = rsaKey
	return nil
}

// fits reports why the key can't verify this signature.
func (k *key) fits(s *signature) *problem {
	algorithm, _, _ := strings.Cut(s.algorithm, "-")
	switch {
	case k.hashes != nil && !slices.Contains(k.hashes, "sha256"):
		return permanent("the key does not allow sha256")
	case (algorithm == "rsa") != (k.rsa != nil):
		return permanent("the key is not for %s", s.algorithm)
	case k.strict && s.identity != s.domain:
		return permanent("the key does not sign for subdomains (t=s)")
	}
	return nil
}

func (k *key) verify(digest, sig []byte) bool {
	if k.ed25519 != nil {
		return ed25519.Verify(k.ed25519, digest, sig)
	}
	return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest, sig) == nil
}
