package dkim

import (
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"math/rand/v2"
	"strings"
	"testing"

	"mxhook/verify/internal/cputime"
)

// nothing is a hash that costs nothing.
type nothing struct{ hash.Hash }

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Sum(b []byte) []byte         { return b }

// bodies are what real bodies are made of, and what hostile ones are.
func bodies() map[string]string {
	const line = "The quick brown fox jumps over the lazy dog, and then it does the same again.\r\n"
	r := rand.NewChaCha8([32]byte{})
	data := make([]byte, 57)
	var attachment strings.Builder
	for attachment.Len() < 1<<20 {
		r.Read(data)
		attachment.WriteString(base64.StdEncoding.EncodeToString(data) + "\r\n")
	}
	fill := func(unit string) string { return strings.Repeat(unit, (1<<20)/len(unit)) + "x\r\n" }
	return map[string]string{
		"text": fill(line), "base64": attachment.String(), "flowed": fill(strings.Replace(line, ".\r", " \r", 1)),
		"lf": fill(strings.Replace(line, "\r", "", 1)), "lines": fill("a\r\n"), "line ends": fill("\r\n"), "blanks": fill("a  "),
		"tabs": fill("a\t"), "cr": fill("a\r"), "endings": fill("a \r\n"), "words": fill("a b c de f g h i j k l m\t"),
	}
}

func BenchmarkCanonicalBody(b *testing.B) {
	for name, body := range bodies() {
		for c, relaxed := range map[string]bool{"simple": false, "relaxed": true} {
			b.Run(name+"/"+c, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				data := []byte(body)
				begin := cputime.Used()
				for b.Loop() {
					c := &canonicalBody{relaxed: relaxed, hash: nothing{sha256.New()}}
					c.want(-1)

					for rest := data; len(rest) > 0; rest = rest[min(len(rest), 64<<10):] {
						c.Write(rest[:min(len(rest), 64<<10)])
					}
					c.Close()
				}
				b.ReportMetric(float64(cputime.Used()-begin)/float64(b.N)/float64(len(body)), "cpu-ns/B")
			})
		}
	}
}
