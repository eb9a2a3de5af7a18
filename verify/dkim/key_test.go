package dkim_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

func TestKeys(t *testing.T) {
	good := keyRecord(rsaKey())
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey))
	for _, c := range []struct {
		rule, record string
		want         authres.Result
	}{
		{"as it should be", good, authres.Pass},
		{"without a version", strings.TrimPrefix(good, "v=DKIM1; "), authres.Pass},
		{"as RSAPublicKey", "v=DKIM1; p=" + pkcs1, authres.Pass},
		{"with blanks in p=", strings.Replace(good, "p=MIIB", "p=MI \tIB ", 1), authres.Pass},
		{"testing", good + "; t=y", authres.Pass},
		{"testing and strict", good + "; t=s:y", authres.Pass},
		{"testing with another key", keyRecord(small) + "; t=y", authres.Fail},
		{"for all services", good + "; s=*", authres.Pass},
		{"for mail", good + "; s=other:email", authres.Pass},
		{"for something else", good + "; s=tlsrpt", authres.PermError},
		{"of another version", strings.Replace(good, "DKIM1", "DKIM2", 1), authres.PermError},
		{"revoked", "v=DKIM1; p=", authres.PermError},
		{"without p=", "v=DKIM1; k=rsa", authres.PermError},
		{"sha1 alone", good + "; h=sha1", authres.PermError},
		{"sha256 among others", good + "; h=sha1:sha256", authres.Pass},
		{"of another type", good + "; k=dsa", authres.PermError},
		{"no base64", "v=DKIM1; p=****", authres.PermError},
		{"no key", "v=DKIM1; p=AAAA", authres.PermError},
		{"no tags", "hello", authres.PermError},
		{"another key of 1024 bits", keyRecord(small), authres.Fail},
		{"far too long", "v=DKIM1; p=" + base64.StdEncoding.EncodeToString(make([]byte, 3000)), authres.Policy},
	} {
		z, err := dns.ParseZone(txt("rsa._domainkey.sender.example", c.record))
		if err != nil {
			t.Fatal(err)
		}
		s := one(t, z, retag(t, func(s string) string { return s }, rsaKey()))
		if s.Result != c.want {
			t.Errorf("%s: %s (%s), want %s", c.rule, s.Result, s.Reason, c.want)
		}
		if want := strings.HasSuffix(c.record, "y"); s.Testing != want || strings.HasSuffix(s.Reason, "the key is in testing mode (t=y)") != want {
			t.Errorf("%s: %+v", c.rule, s)
		}
		if strings.Contains(s.Reason, "asn1") || strings.Contains(s.Reason, "base64") {
			t.Errorf("%s: the reason holds a library's text: %q", c.rule, s.Reason)
		}
	}
	strict, err := dns.ParseZone(txt("rsa._domainkey.sender.example", good+"; t=s"))
	if err != nil {
		t.Fatal(err)
	}
	if s := one(t, strict, retag(t, func(s string) string { return "i=@list.sender.example; " + s }, rsaKey())); s.Result != authres.PermError {
		t.Errorf("t=s with a subdomain in i=: %+v", s)
	}
	if s := one(t, strict, retag(t, func(s string) string { return "i=@sender.example; " + s }, rsaKey())); s.Result != authres.Pass {
		t.Errorf("t=s with d= in i=: %+v", s)
	}
	double, err := dns.ParseZone(txt("rsa._domainkey.sender.example", good) + txt("rsa._domainkey.sender.example", good+";"))
	if err != nil {
		t.Fatal(err)
	}
	if s := one(t, double, retag(t, func(s string) string { return s }, rsaKey())); s.Result != authres.PermError {
		t.Errorf("two records: %+v", s)
	}
}

// modulus of a key that nobody could have made into a signature: only its size counts.
func TestKeySizesAreBounded(t *testing.T) {
	for bits, want := range map[int]authres.Result{512: authres.Policy, 1023: authres.Policy, 8193: authres.Policy, 8192: authres.Fail} {
		n := make([]byte, (bits+7)/8)
		for i := range n {
			n[i] = 0xff
		}
		n[0] >>= uint(len(n)*8 - bits)
		key := rsa.PublicKey{E: 65537}
		key.N = bigInt(n)
		z, err := dns.ParseZone(txt("rsa._domainkey.sender.example", "p="+base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&key))))
		if err != nil {
			t.Fatal(err)
		}
		if s := one(t, z, retag(t, func(s string) string { return s }, rsaKey())); s.Result != want {
			t.Errorf("%d bits: %+v, want %s", bits, s, want)
		}
	}
}
