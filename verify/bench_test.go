package verify_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	msgdkim "github.com/emersion/go-msgauth/dkim"

	"mxhook/verify"
	"mxhook/verify/dns"
	"mxhook/verify/internal/cputime"
)

// body is text of a size.
func body(size int) string {
	const line = "The quick brown fox jumps over the lazy dog, and then it does the same again.\r\n"
	return strings.Repeat(line, size/len(line)+1)[:size-2] + "\r\n"
}

// attachment is what most of a large message is: base64 of what can't be foreseen.
func attachment(size int) string {
	random := rand.NewChaCha8([32]byte{})
	data := make([]byte, 57)
	var b strings.Builder
	for b.Len() < size {
		random.Read(data)
		b.WriteString(base64.StdEncoding.EncodeToString(data) + "\r\n")
	}
	return b.String()
}

// warm is a Verifier over the resolver that a server really has, whose cache knows all
// answers from the first message on.
func warm(b *testing.B, extra string) *verify.Verifier {
	b.Helper()
	server := dns.NewServer(zone(b, extra))
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Stop(context.Background()) })
	resolver := dns.New(dns.Config{Servers: []string{server.Addr()}})
	return verify.New(verify.Config{Resolver: resolver, AuthservID: "mx.in.example"})
}

// cost is what one message costs with all methods: the CPU time of the whole process,
// user and system, in ns.
func cost(b *testing.B, v *verify.Verifier, content string, passes int) float64 {
	b.Helper()
	check := func() {
		n := 0
		for _, s := range v.Verify(context.Background(), message(content)).DKIM {
			if s.Result == "pass" {
				n++
			}
		}
		if n != passes {
			b.Fatalf("%d signatures pass, not %d", n, passes)
		}
	}
	check() // the cache is warm after it
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	begin := cputime.Used()
	for b.Loop() {
		check()
	}
	each := float64(cputime.Used()-begin) / float64(b.N)
	b.ReportMetric(each, "cpu-ns/op")
	return each
}

// BenchmarkVerify is one message with all methods over a warm cache.
func BenchmarkVerify(b *testing.B) {
	header, _, _ := strings.Cut(plain, "\r\n\r\n")
	rsa, ed := relaxed("sender.example", "rsa", rsaKey()), relaxed("sender.example", "ed", edKey())
	simple := rsa
	simple.HeaderCanonicalization, simple.BodyCanonicalization = msgdkim.CanonicalizationSimple, msgdkim.CanonicalizationSimple
	for _, size := range []string{"2KiB", "10MiB"} {
		content := header + "\r\n\r\n" + body(map[string]int{"2KiB": 2 << 10, "10MiB": 10 << 20}[size])
		b.Run(size+"/unsigned", func(b *testing.B) { cost(b, warm(b, ""), content, 0) })
		b.Run(size+"/rsa2048", func(b *testing.B) { cost(b, warm(b, ""), sign(b, content, rsa), 1) })
		b.Run(size+"/ed25519", func(b *testing.B) { cost(b, warm(b, ""), sign(b, content, ed), 1) })
		b.Run(size+"/three ARC sets", func(b *testing.B) {
			sets := sealed("two.example").Seal(sealed("one.example").Seal(sealed("list.example").Seal(sign(b, content, ed))))
			cost(b, warm(b, sealers(b)), sets, 1)
		})
	}
	// Line ends alone are the same to a signature as no body: to sign that is quick.
	b.Run("10MiB/line ends", func(b *testing.B) {
		cost(b, warm(b, ""), sign(b, header+"\r\n\r\n", simple)+strings.Repeat("\r\n", 5<<20), 1)
	})
}

// BenchmarkAgainstTheFloor compares with what can't be spared: one SHA-256 pass over the
// body for each canonicalization in use, and a check of each signature. Both figures are
// of the same run, since machines have neighbours.
func BenchmarkAgainstTheFloor(b *testing.B) {
	type kind struct {
		name   string
		passes int
		c      []string // header/body
	}
	kinds := []kind{
		{"relaxed", 1, []string{"relaxed/relaxed"}}, {"simple", 1, []string{"simple/simple"}}, {"mixed", 1, []string{"relaxed/simple"}},
		{"three relaxed", 1, []string{"relaxed/relaxed", "relaxed/relaxed", "relaxed/relaxed"}},
		{"three simple", 1, []string{"simple/simple", "simple/simple", "simple/simple"}},
		{"three mixed", 2, []string{"relaxed/relaxed", "simple/simple", "relaxed/simple"}},
	}
	header, _, _ := strings.Cut(plain, "\r\n\r\n")
	for _, text := range []struct{ name, body string }{
		{"2KiB", body(2 << 10)}, {"200KiB", body(200 << 10)}, {"10MiB", body(10 << 20)}, {"10MiB base64", attachment(10 << 20)},
	} {
		for _, k := range kinds {
			b.Run(text.name+"/"+k.name, func(b *testing.B) {
				content, extra := header+"\r\n\r\n"+text.body, ""
				for i, c := range k.c {
					o := relaxed("sender.example", fmt.Sprint("rsa", i), rsaKey())
					head, body, _ := strings.Cut(c, "/")
					o.HeaderCanonicalization, o.BodyCanonicalization = msgdkim.Canonicalization(head), msgdkim.Canonicalization(body)
					content = sign(b, content, o)
					extra += txt(fmt.Sprintf("rsa%d._domainkey.sender.example", i), keyRecord(b, rsaKey()))
				}
				each := cost(b, warm(b, extra), content, len(k.c))
				floor := floor([]byte(text.body), k.passes, len(k.c), b.N)
				b.ReportMetric(floor, "floor-ns/op")
				b.ReportMetric(each/floor, "x-floor")
			})
		}
	}
}

// floor is the CPU time of the hashes and of the checks, in ns.
func floor(body []byte, passes, signatures, n int) float64 {
	digest := sha256.Sum256(nil)
	signature, err := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	begin := cputime.Used()
	for range n {
		for range passes {
			sha256.Sum256(body)
		}
		for range signatures {
			if rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, digest[:], signature) != nil {
				panic("the signature is good")
			}
		}
	}
	return float64(cputime.Used()-begin) / float64(n)
}

// BenchmarkManySignatures shows that those beyond the cap cost next to nothing.
func BenchmarkManySignatures(b *testing.B) {
	header, _, _ := strings.Cut(plain, "\r\n\r\n")
	for _, text := range []struct{ name, body string }{{"2KiB", body(2 << 10)}, {"10MiB", body(10 << 20)}} {
		content := header + "\r\n\r\n" + text.body
		field := strings.TrimSuffix(sign(b, content, relaxed("sender.example", "rsa", rsaKey())), content)
		for _, n := range []int{1, 10, 50, 1000} {
			b.Run(fmt.Sprint(text.name, "/", n), func(b *testing.B) {
				cost(b, warm(b, ""), strings.Repeat(field, n)+content, min(n, 10))
			})
		}
	}
}
