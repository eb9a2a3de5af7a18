package smtpd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// reference is the specification of scanner, one octet at a time. It returns the
// message, whether the data ended, how many octets that took, and whether a lenient
// reader would have seen an end at another place.
func reference(data string) (message string, used int, done, ambiguous bool) {
	var out []byte
	lenient := []byte{} // the current line as a lenient reader sees it
	strict := true      // at the beginning of a line after CR LF
	for i := 0; i < len(data); i++ {
		rest := data[i:]
		if strict && strings.HasPrefix(rest, ".\r\n") {
			return string(out), i + 3, true, ambiguous
		}
		c := data[i]
		stuffed := strict && c == '.'
		if stuffed && (rest == "." || rest == ".\r") {
			return string(out), i, false, ambiguous // undecided
		}
		strict = c == '\n' && i > 0 && data[i-1] == '\r'
		if !stuffed {
			out = append(out, c)
		}
		if c == '\r' || c == '\n' {
			if l := bytes.TrimRight(bytes.ReplaceAll(lenient, []byte{0}, nil), " \t"); string(l) == "." {
				ambiguous = true
			}
			lenient = lenient[:0]
			continue
		}
		lenient = append(lenient, c)
	}
	return string(out), len(data), false, ambiguous
}

// scan runs a scanner over data in pieces of the given sizes, as the wire does.
func scan(data string, size func() int) (message string, used int, done, ambiguous bool) {
	var s scanner
	var out, held []byte
	for i := 0; i < len(data) && !done; {
		n := min(max(1, size()), len(data)-i)
		block := append(bytes.Clone(held), data[i:i+n]...)
		i += n
		kept, k, end := s.block(block)
		out = append(out, kept...)
		held, used, done = bytes.Clone(block[k:]), used+k, end
	}
	return string(out), used, done, s.ambiguous
}

func compareScan(t *testing.T, data string, size func() int) {
	t.Helper()
	m, used, done, amb := reference(data)
	gm, gused, gdone, gamb := scan(data, size)
	if m != gm || used != gused || done != gdone || amb != gamb {
		t.Fatalf("%q:\n got %q used %d done %v ambiguous %v\nwant %q used %d done %v ambiguous %v", data, gm, gused, gdone, gamb, m, used, done, amb)
	}
}

func TestScannerAgreesWithTheSpecification(t *testing.T) {
	alphabet := []string{"\r\n", "\r", "\n", ".", "x", "\x00", " ", "\t", "\r\n.", ".\r\n", "\r\n.\r\n", "some text."}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var b strings.Builder
		for range rng.IntN(12) {
			b.WriteString(alphabet[rng.IntN(len(alphabet))])
		}
		compareScan(t, b.String(), func() int { return 1 + rng.IntN(9) })
	}
}

func FuzzScanner(f *testing.F) {
	for _, s := range []string{"", ".\r\n", "a\r\n.\r\n", "a\r\r\n.\r\nrest", "\n.\r\n", "\r\n. \x00\r\n", "\r\n..\r\n.\r\n", "\x00.\r\n"} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, data string, size uint8) {
		compareScan(t, data, func() int { return int(size) })
	})
}

func TestScannerRules(t *testing.T) {
	for _, c := range []struct {
		name, data, message, rest string
		done, ambiguous           bool
	}{
		{"the first line may end the data", ".\r\nrest", "", "rest", true, false},
		{"CR LF . CR LF ends the data", "a\r\n.\r\nrest", "a\r\n", "rest", true, false},
		{"a line that ends in CR CR LF ends too", "a\r\r\n.\r\nrest", "a\r\r\n", "rest", true, false},
		{"a stuffed dot is taken out", "..\r\n.x\r\n.\r\n", ".\r\nx\r\n", "", true, false},
		{"a dot after a bare LF stays", "a\n.text\r\n.\r\n", "a\n.text\r\n", "", true, false},
		{"blanks before a dot are text", " .\r\n\t.\r\n.\r\n", " .\r\n\t.\r\n", "", true, false},
		{"blanks after the dot", "a\r\n. \r\n.\r\n", "a\r\n \r\n", "", true, true},
		{"bare LF before and after", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", "", true, true},
		{"bare CR before", "a\r.\r\n.\r\n", "a\r.\r\n", "", true, true},
		{"bare CR after", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", "", true, true},
		{"NUL before", "a\r\n\x00.\r\n.\r\n", "a\r\n\x00.\r\n", "", true, true},
		{"NUL after", "a\r\n.\x00\r\n.\r\n", "a\r\n\x00\r\n", "", true, true},
		{"NUL and blanks after", "a\n.\x00 \t\x00\n.\r\n", "a\n.\x00 \t\x00\n.\r\n", "", false, true},
		{"two dots after a bare LF", "a\n..\nb\r\n.\r\n", "a\n..\nb\r\n", "", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			compareScan(t, c.data, func() int { return 1 })
			m, used, done, amb := scan(c.data, func() int { return len(c.data) })
			if m != c.message || c.data[used:] != c.rest || done != c.done || amb != c.ambiguous {
				t.Errorf("got %q rest %q done %v ambiguous %v", m, c.data[used:], done, amb)
			}
		})
	}
}

// BenchmarkScan compares the data phase's scan with a plain search for the end that
// copies every block, which is the least that a reader must do.
func BenchmarkScan(b *testing.B) {
	base64 := strings.Repeat(strings.Repeat("YWJj", 19)+"\r\n", 140000)
	text := strings.Repeat("A line of some words, as people write them. And so on.\r\n", 200000)
	dots := strings.Repeat("..x\r\n", 2<<20)
	for _, body := range []struct{ name, data string }{{"base64", base64}, {"text", text}, {"dots", dots}} {
		for _, size := range []int{200 << 10, 10 << 20} {
			data := []byte(body.data[:size] + "\r\n.\r\n")
			block, sink := make([]byte, dataBuffer), make([]byte, dataBuffer)
			b.Run(fmt.Sprintf("wire/%s/%dKiB", body.name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					var s scanner
					w := 0
					for p := data; len(p) > 0; {
						n := copy(block[w:], p)
						p = p[n:]
						kept, used, _ := s.block(block[:w+n])
						copy(sink, kept)
						w = copy(block, block[used:w+n])
					}
				}
			})
			b.Run(fmt.Sprintf("plain/%s/%dKiB", body.name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				end := []byte("\r\n.\r\n")
				for b.Loop() {
					for p := data; len(p) > 0; {
						n := copy(block, p)
						p = p[n:]
						bytes.Index(block[:n], end)
						copy(sink, block[:n])
					}
				}
			})
		}
	}
}
