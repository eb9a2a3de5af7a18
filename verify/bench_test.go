package verify_test

import (
	"context"
	"crypto/sha256"
	"strings"
	"syscall"
	"testing"
	"time"

	msgdkim "github.com/emersion/go-msgauth/dkim"

	"mxhook/verify"
	"mxhook/verify/dns"
)

func body(size int) string {
	const line = "The quick brown fox jumps over the lazy dog, and then it does the same again.\r\n"
	return strings.Repeat(line, size/len(line)+1)[:size-2] + "\r\n"
}

// BenchmarkVerify is one message with all methods. DNS is answered from a cache over a
// real server.
func BenchmarkVerify(b *testing.B) {
	server := dns.NewServer(zone(b, sealers(b)))
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer server.Stop(context.Background())
	v := verify.New(verify.Config{Resolver: dns.New(dns.Config{Servers: []string{server.Addr()}}), AuthservID: "mx.in.example"})
	run := func(name, content string, want int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(content)))
			begin := cpu(b)
			for b.Loop() {
				r := v.Verify(context.Background(), message(content))
				passed := 0
				for _, s := range r.DKIM {
					if s.Result == "pass" {
						passed++
					}
				}
				if passed != want {
					b.Fatalf("%+v", r.DKIM)
				}
			}
			b.ReportMetric(float64(cpu(b)-begin)/float64(b.N), "cpu-ns/op")
		})
	}
	header, _, _ := strings.Cut(plain, "\r\n\r\n")
	small, large := header+"\r\n\r\n"+body(2<<10), header+"\r\n\r\n"+body(10<<20)
	simple := relaxed("sender.example", "rsa", rsaKey())
	simple.HeaderCanonicalization, simple.BodyCanonicalization = msgdkim.CanonicalizationSimple, msgdkim.CanonicalizationSimple
	rsa, ed := relaxed("sender.example", "rsa", rsaKey()), relaxed("sender.example", "ed", edKey())
	run("2KiB/unsigned", small, 0)
	run("2KiB/rsa2048", sign(b, small, rsa), 1)
	run("2KiB/ed25519", sign(b, small, ed), 1)
	run("10MiB/relaxed", sign(b, large, rsa), 1)
	run("10MiB/simple", sign(b, large, simple), 1)
	run("10MiB/three", sign(b, sign(b, sign(b, large, rsa), ed), simple), 3)
	sealedThrice := func(s string) string {
		return sealed("two.example").Seal(sealed("one.example").Seal(sealed("list.example").Seal(s)))
	}
	run("2KiB/signed, three ARC sets", sealedThrice(sign(b, small, ed)), 1)
	run("10MiB/signed, three ARC sets", sealedThrice(sign(b, large, ed)), 1)
	run("10MiB/unsigned", large, 0)
	// Line ends alone are the same to a signature as no body: to sign that is quick.
	run("10MiB/lineends", sign(b, header+"\r\n\r\n", simple)+strings.Repeat("\r\n", 5<<20), 1)
	b.Run("10MiB/sha256-alone", func(b *testing.B) {
		b.SetBytes(int64(len(large)))
		for b.Loop() {
			sha256.Sum256([]byte(large))
		}
	})
}

// cpu is what this process has used: the clock on the wall also counts the neighbours.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Skip("no CPU time on this system: ", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
