package smtpd

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzDataOverTheWire sends any octets after 354: the message is the one that the
// specification sees, whole, or there is none; what follows it can't change it.
func FuzzDataOverTheWire(f *testing.F) {
	for _, s := range []string{
		".\r\n", "x\r\n.\r\nQUIT\r\n", "x\r\n..\r\n.x\r\n.\r\n", "x\r\r\n.\r\n", "x\n.\r\n", "x\r\n.\r", "\x00.\r\n.\r\n",
		strings.Repeat("x", 50) + "\r\n.\r\n", "x\r\n.\r\n" + smuggled,
	} {
		f.Add(s, uint8(3))
	}
	p, stop := startPiped(f, smallLimits)
	defer stop()
	f.Fuzz(func(t *testing.T, data string, piece uint8) {
		message, _, done, ambiguous := reference(data)
		said, delivered := p.talk(opening+data, int(piece))
		_, after, _ := strings.Cut(said, "354 ")
		_, after, _ = strings.Cut(after, "\r\n")
		first, _, _ := strings.Cut(after, "\r\n")
		switch {
		case done && !ambiguous && len(message) <= 40:
			if len(delivered) == 0 || delivered[0] != message || first != "250 2.0.0 msg_test" {
				t.Fatalf("said %q, delivered %q, want %q", after, delivered, message)
			}
		case len(message) > 60: // given up early, one way or the other
			if len(delivered) > 0 || first != "" && first[:3] != "552" && first[:3] != "521" {
				t.Fatalf("said %q, delivered %q", after, delivered)
			}
		case ambiguous:
			if len(delivered) > 0 || first != "" && !strings.HasPrefix(after, "521 ") || strings.Count(after, "\r\n") > 1 {
				t.Fatalf("said %q, delivered %q", after, delivered)
			}
		case done:
			if !strings.HasPrefix(first, "552 5.3.4") {
				t.Fatalf("said %q, delivered %q", after, delivered)
			}
		default:
			if len(delivered) > 0 || after != "" {
				t.Fatalf("said %q, delivered %q of a message without end", after, delivered)
			}
		}
	})
}

// FuzzChunksOverTheWire sends any octets in chunks of any declared size: a message is
// delivered when all that was declared is there, and it is those octets.
func FuzzChunksOverTheWire(f *testing.F) {
	f.Add("abcdef\r\n.\r\nQUIT\r\n", []byte{2, 4, 11}, uint8(3))
	f.Add("short", []byte{9}, uint8(1))
	f.Add("RSET\r\nNOOP\r\n", []byte{0, 6, 6, 0}, uint8(200))
	f.Add(strings.Repeat("x", 70), []byte{30, 30, 10}, uint8(7))
	p, stop := startPiped(f, smallLimits)
	defer stop()
	f.Fuzz(func(t *testing.T, data string, sizes []byte, piece uint8) {
		in, rest, total := strings.TrimSuffix(opening, "DATA\r\n"), data, 0
		for i, size := range sizes {
			n := min(int(size), len(rest))
			in += fmt.Sprintf("BDAT %d%s\r\n%s", size, map[bool]string{true: " LAST"}[i == len(sizes)-1], rest[:n])
			total += int(size)
			if rest = rest[n:]; n < int(size) {
				break
			}
		}
		whole := len(sizes) > 0 && total <= len(data)
		said, delivered := p.talk(in, int(piece))
		finals := strings.Count(said, "250 2.0.0 msg_test\r\n")
		if whole && total <= 40 {
			if len(delivered) != 1 || delivered[0] != data[:total] || finals != 1 {
				t.Fatalf("sizes %v: said %q, delivered %q, want %q", sizes, said, delivered, data[:total])
			}
		} else if len(delivered) > 0 || finals > 0 {
			t.Fatalf("sizes %v of %d octets: said %q, delivered %q", sizes, len(data), said, delivered)
		}
	})
}
