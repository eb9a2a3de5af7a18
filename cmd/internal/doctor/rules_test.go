package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mxhook/verify/dns"
)

func TestPolicyFiles(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"as in RFC 8461":          {"version: STSv1\r\nmode: testing\r\nmx: mx1.example.com\r\nmx: mx2.example.com\r\nmax_age: 1296000\r\n", ""},
		"bare line feeds":         {"version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 0", ""},
		"blanks and unknown keys": {"version:STSv1 \nmode:\tnone\nmax_age: 86400\nx-note: hello\n", ""},
		"the first counts":        {"version: STSv1\nmode: none\nmode: nonsense\nmax_age: 1\n", ""},
		"empty":                   {"", "version is missing"},
		"no colon":                {"version STSv1\n", "no colon"},
		"version 2":               {"version: STSv2\n", `"STSv2"`},
		"no mx":                   {"version: STSv1\nmode: enforce\nmax_age: 1\n", "mx is missing"},
		"max_age of words":        {"version: STSv1\nmode: none\nmax_age: 1d\n", `"1d"`},
		"max_age of years":        {"version: STSv1\nmode: none\nmax_age: 31557601\n", "at most 31557600"},
		"a URL for an mx":         {"version: STSv1\nmode: enforce\nmax_age: 1\nmx: https://mx.example\n", "must be a host"},
		"a star in the middle":    {"version: STSv1\nmode: enforce\nmax_age: 1\nmx: mx.*.example\n", "must be a host"},
		"escape sequences":        {"version: STSv1\nmode: \x1b[2J\n", `"\x1b[2J"`},
	} {
		_, err := parsePolicy(c.text)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAStarIsOneLabel(t *testing.T) {
	p := policy{mx: []string{"mx.example.com", "*.mail.example.com"}}
	for host, want := range map[string]bool{
		"mx.example.com": true, "a.mail.example.com": true, "a.b.mail.example.com": false, "mail.example.com": false, "example.com": false, "com": false, "": false,
	} {
		if got := p.takes(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestRecords(t *testing.T) {
	for text, want := range map[string]string{
		"v=STSv1; id=20160831085700Z;": "20160831085700Z", "v=STSv1;id=1": "1", "v=STSv1; id=1; x=y": "1",
		"v=STSv1": "", "v=STSv1;": "", "v=STSv1 id=1": "", "v=STSv1; id=a b": "", "v=STSv1; nonsense; id=1": "", "v=STSv1; id=" + strings.Repeat("a", 33): "",
	} {
		if id, why := stsRecord(text); id != want || (why == "") != (want != "") {
			t.Errorf("%q: %q, %q", text, id, why)
		}
	}
	for text, want := range map[string]int{
		"v=TLSRPTv1; rua=mailto:a@b.example": 1, "v=TLSRPTv1;rua=mailto:a@b.example,https://x/y;": 2,
		"v=TLSRPTv1": 0, "v=TLSRPTv1; rua=": 0, "v=TLSRPTv1; rua=http://x": 0, "v=TLSRPTv1; rua=mailto:nobody": 0,
	} {
		if rua, why := reportAddresses(text); len(rua) != want || (why == "") != (want > 0) {
			t.Errorf("%q: %q, %q", text, rua, why)
		}
	}
}

func TestWhatTheInternetCanReach(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "172.15.0.1": true, "172.32.0.1": true, "100.63.0.1": true, "2001:503:ba3e::2:30": true, "2a00::1": true,
		"172.16.0.1": false, "100.64.0.1": false, "169.254.1.1": false, "192.0.2.1": false, "0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false,
		"::": false, "::1": false, "fe80::1": false, "fd12::1": false, "2001:db8::1": false, "::ffff:8.8.8.8": false, "ff02::1": false,
	} {
		if got := unreachable(netip.MustParseAddr(address)) == ""; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// signed makes a certificate; without a parent it signs itself.
func signed(t *testing.T, parent *x509.Certificate, parentKey, key any, public any) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	if parent == nil {
		parent, parentKey = template, key
	} else {
		template.Subject.CommonName = "y"
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTLSARecordsThatMatch(t *testing.T) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := signed(t, nil, nil, rootKey, rootKey.Public())
	leaf := signed(t, root, rootKey, nil, leafKey.Public())
	if weak(leaf) == "" || weak(root) != "" {
		t.Error("P-224 is weak, P-256 is not")
	}
	chain := &certificate{chain: []*x509.Certificate{leaf, root}}
	sum := func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
	long := sha512.Sum512(leaf.Raw)
	for name, c := range map[string]struct {
		record dns.TLSA
		want   bool
	}{
		"3 1 1 of the leaf":        {dns.TLSA{Usage: 3, Selector: 1, Matching: 1, Data: sum(leaf.RawSubjectPublicKeyInfo)}, true},
		"3 0 1 of the leaf":        {dns.TLSA{Usage: 3, Selector: 0, Matching: 1, Data: sum(leaf.Raw)}, true},
		"3 0 2 of the leaf":        {dns.TLSA{Usage: 3, Selector: 0, Matching: 2, Data: long[:]}, true},
		"3 1 0 of the leaf":        {dns.TLSA{Usage: 3, Selector: 1, Matching: 0, Data: leaf.RawSubjectPublicKeyInfo}, true},
		"2 1 1 of the authority":   {dns.TLSA{Usage: 2, Selector: 1, Matching: 1, Data: sum(root.RawSubjectPublicKeyInfo)}, true},
		"3 1 1 of the authority":   {dns.TLSA{Usage: 3, Selector: 1, Matching: 1, Data: sum(root.RawSubjectPublicKeyInfo)}, false},
		"2 1 1 of the leaf":        {dns.TLSA{Usage: 2, Selector: 1, Matching: 1, Data: sum(leaf.RawSubjectPublicKeyInfo)}, false},
		"the other selector":       {dns.TLSA{Usage: 3, Selector: 0, Matching: 1, Data: sum(leaf.RawSubjectPublicKeyInfo)}, false},
		"usage 1 means nothing":    {dns.TLSA{Usage: 1, Selector: 1, Matching: 1, Data: sum(leaf.RawSubjectPublicKeyInfo)}, false},
		"a digest that is cut off": {dns.TLSA{Usage: 3, Selector: 1, Matching: 1, Data: sum(leaf.RawSubjectPublicKeyInfo)[:31]}, false},
		"no data":                  {dns.TLSA{Usage: 3, Selector: 1, Matching: 0}, false},
		"an unknown selector":      {dns.TLSA{Usage: 3, Selector: 7, Matching: 1, Data: sum(leaf.Raw)}, false},
	} {
		if got := matchesAny([]dns.TLSA{c.record}, chain); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !selfSigned(root) || selfSigned(leaf) {
		t.Error("who has signed whom")
	}
}

func TestWeakKeys(t *testing.T) {
	for bits, want := range map[int]bool{1024: true, 2048: false} {
		key := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), uint(bits-1)), E: 65537}
		if got := weak(&x509.Certificate{PublicKey: key}) != ""; got != want {
			t.Errorf("%d bits: %v", bits, got)
		}
	}
}

// TestAFoldersCureCanBeFollowed: install makes no folder of a file, and none in /proc.
func TestAFoldersCureCanBeFollowed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		err  error
		want string
	}{
		"a file":           {file, syscall.ENOTDIR, file + " is a file: move it away, or name another folder in state"},
		"below a file":     {filepath.Join(file, "x", "y"), syscall.ENOTDIR, file + " is a file"},
		"not ours":         {filepath.Join(dir, "x"), fs.ErrPermission, "run doctor as the user that runs mxhook serve; if it is: sudo install -d -m 700 -o MXHOOK-USER " + dir + "/x"},
		"where nobody may": {filepath.Join(dir, "x"), fs.ErrNotExist, "no folder can be made in " + dir + ": name another one in state"},
	} {
		if got := folderFix("state", c.path, c.err); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestReasonsHoldNoGoWords: the port of ours in them is of no use to anybody.
func TestReasonsHoldNoGoWords(t *testing.T) {
	for want, err := range map[string]error{
		"no answer in time":        &net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{Port: 39226}, Err: os.ErrDeadlineExceeded},
		"connection reset by peer": &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		"the connection is closed": io.EOF,
	} {
		if got := reason(err); got != want {
			t.Errorf("%v: %s", err, got)
		}
	}
}
