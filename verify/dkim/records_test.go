package dkim_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

// TestKeyRecords: forms of RFC 6376 3.6.1 that real records have, and the limits.
func TestKeyRecords(t *testing.T) {
	good := keyRecord(rsaKey())
	_, p, _ := strings.Cut(good, "p=")
	for _, c := range []struct{ rule, record, reason string }{
		{"v= that is not the first", "k=rsa; v=DKIM1; p=" + p, ""},
		{"v= in small letters", "v=dkim1; p=" + p, "the key record is of another version"},
		{"k= in capitals", "k=RSA; p=" + p, ""},
		{"k= of nothing", "k=; p=" + p, "the key is of an unknown type"},
		{"h= in capitals", "h=SHA256; p=" + p, ""},
		{"h= with blanks", "h=sha1 : sha256; p=" + p, ""},
		{"h= of nothing", "h=; p=" + p, "the key does not allow sha256"},
		{"s= in capitals", "s=EMAIL; p=" + p, ""},
		{"s= of nothing", "s=; p=" + p, "the key is not for mail"},
		{"flags that nobody knows", "t=x:unknown; p=" + p, ""},
		{"notes and granularity", "g=ann; n=any=20text; p=" + p, ""},
		{"a tag twice", "p=" + p + "; p=" + p, "the key record is malformed"},
		{"a gap between semicolons", "v=DKIM1;; p=" + p + ";", ""},
		{"a tag without a value's sign", "v=DKIM1; t; p=" + p, "the key record is malformed"},
		{"an empty record", "", "the key record holds no key"},
		{"another kind of record", "v=spf1 -all", "the key record is of another version"},
		{"tabs in p=", "p=" + fold(p, 60, "\t"), ""},
		{"as long as it may be", good + "; n=" + strings.Repeat("x", 8192-len(good)-4), ""},
		{"longer", good + "; n=" + strings.Repeat("x", 8193-len(good)-4), "the key record has more than 8192 octets"},
		{"sixty-four tags", tags(62) + good, ""},
		{"sixty-five tags", tags(63) + good, "the key record is malformed"},
	} {
		r := record("rsa._domainkey.sender.example", c.record)
		if s := one(t, r, retag(t, func(s string) string { return s }, rsaKey())); s.Reason != c.reason || (s.Result == authres.Pass) != (c.reason == "") {
			t.Errorf("%s: %s %q, want %q", c.rule, s.Result, s.Reason, c.reason)
		}
	}
}

// oneRecord answers as it is told, also what a zone file could not say.
type oneRecord struct {
	*dns.Zone
	name, text string
}

func record(name, text string) oneRecord { return oneRecord{name: name, text: text} }

func (o oneRecord) LookupTXT(_ context.Context, name string) ([]string, error) {
	if name != o.name {
		return nil, fmt.Errorf("another question: %q", name)
	}
	return []string{o.text}, nil
}

// TestTheStrictFlag is RFC 6376 3.6.1, t=s: i= may not name a subdomain.
func TestTheStrictFlag(t *testing.T) {
	for _, c := range []struct {
		flags, identity string
		want            authres.Result
	}{
		{"", "", authres.Pass}, {"", "i=@list.sender.example; ", authres.Pass},
		{"; t=s", "", authres.Pass}, {"; t=s", "i=ann@SENDER.example; ", authres.Pass},
		{"; t=s", "i=ann@list.sender.example; ", authres.PermError}, {"; t=y:S", "i=ann@list.sender.example; ", authres.PermError},
		{"; t=s", "i=ann=40list.sender.example; ", authres.PermError},
	} {
		r := record("ed._domainkey.sender.example", keyRecord(edKey())+c.flags)
		if s := one(t, r, retag(t, func(s string) string { return c.identity + s }, edKey())); s.Result != c.want {
			t.Errorf("%q with %q: %+v, want %s", c.flags, c.identity, s, c.want)
		}
	}
}

// TestRSAKeysOfTheLeastAndTheMostBits verifies signatures of 1024 and 8192 bits, the
// ends of what is accepted.
func TestRSAKeysOfTheLeastAndTheMostBits(t *testing.T) {
	small := newRSA(1024)()
	if s := one(t, record("rsa._domainkey.sender.example", keyRecord(small)), retag(t, func(s string) string { return s }, small)); s.Result != authres.Pass || s.KeyBits != 1024 {
		t.Errorf("1024: %+v", s)
	}
	huge := mersenne()
	if s := one(t, record("rsa._domainkey.sender.example", keyRecord(huge)), retag(t, func(s string) string { return s }, huge)); s.Result != authres.Pass || s.KeyBits != 8192 {
		t.Errorf("8192: %+v", s)
	}
}

// textbook is an RSA key that signs without the library, which would want to check its
// primes.
type textbook struct {
	public rsa.PublicKey
	d      *big.Int
}

// mersenne makes a key of 8192 bits out of primes that are known, 2^p-1: to look for
// others takes minutes.
func mersenne() textbook {
	one, n, phi := big.NewInt(1), big.NewInt(1), big.NewInt(1)
	for _, p := range []uint{4423, 3217, 521, 31} {
		prime := new(big.Int).Sub(new(big.Int).Lsh(one, p), one)
		n.Mul(n, prime)
		phi.Mul(phi, new(big.Int).Sub(prime, one))
	}
	return textbook{rsa.PublicKey{N: n, E: 65537}, new(big.Int).ModInverse(big.NewInt(65537), phi)}
}

func (k textbook) Public() crypto.PublicKey { return &k.public }

// Sign is RSASSA-PKCS1-v1_5 (RFC 8017 8.2.1) with SHA-256.
func (k textbook) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	info := "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20" + string(digest)
	size := (k.public.N.BitLen() + 7) / 8
	block := "\x00\x01" + strings.Repeat("\xff", size-len(info)-3) + "\x00" + info
	m := new(big.Int).SetBytes([]byte(block))
	return m.Exp(m, k.d, k.public.N).FillBytes(make([]byte, size)), nil
}

// TestEd25519KeysAreWhole: RFC 8463 4.2 puts the 32 bytes there, without a frame.
func TestEd25519KeysAreWhole(t *testing.T) {
	message := retag(t, func(s string) string { return s }, edKey())
	public := edKey().Public()
	framed, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for text, reason := range map[string]string{
		keyRecord(edKey()): "",
		"k=ed25519; p=" + base64.StdEncoding.EncodeToString(framed):                            "the ed25519 key has 44 bytes",
		strings.Replace(keyRecord(edKey()), "k=ed25519; ", "", 1):                              "the RSA key is malformed",
		"p=" + base64.StdEncoding.EncodeToString(framed):                                       "the key is no RSA key",
		"k=ed25519; p=" + base64.StdEncoding.EncodeToString(sha256.New().Sum(nil)):             "the signature does not fit the header",
		"k=ed25519; p=" + base64.StdEncoding.EncodeToString(append([]byte{0}, framed[12:]...)): "the ed25519 key has 33 bytes",
	} {
		if s := one(t, record("ed._domainkey.sender.example", text), message); s.Reason != reason {
			t.Errorf("%s: %+v, want %q", text, s, reason)
		}
	}
}

func TestTheResolversWordForAKey(t *testing.T) {
	message := retag(t, func(s string) string { return s }, edKey())
	for _, vouched := range []bool{false, true} {
		z := zone(t)
		if vouched {
			z.Authenticate("sender.example")
		}
		if s := one(t, z, message); s.DNSSEC != vouched || s.Result != authres.Pass {
			t.Errorf("%v: %+v", vouched, s)
		}
		if s := one(t, z, strings.Replace(message, "From: a", "From: b", 1)); s.DNSSEC != vouched || s.Result != authres.Fail {
			t.Errorf("%v: %+v", vouched, s)
		}
		z.ServFail("ed._domainkey.sender.example")
		if s := one(t, z, message); s.DNSSEC {
			t.Errorf("without an answer: %+v", s)
		}
	}
}
