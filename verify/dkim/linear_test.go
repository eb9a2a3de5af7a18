package dkim

import (
	"crypto/sha256"
	"hash"
	"strings"
	"testing"
)

// worker counts what a canonical body gives it to do.
type worker struct {
	hash.Hash
	writes, octets int
}

func (w *worker) Write(p []byte) (int, error) {
	w.writes++
	w.octets += len(p)
	return w.Hash.Write(p)
}

// TestTheWorkForLineEndsGrowsAsTheirNumber counts calls and octets instead of time: ten
// times the line ends are ten times the work, in whatever pieces they come.
func TestTheWorkForLineEndsGrowsAsTheirNumber(t *testing.T) {
	for _, unit := range []string{"\r\n", "\n", " \r\n", "\t\n"} {
		for _, n := range []int{1 << 10, 1 << 13, 1 << 16} {
			for _, piece := range []int{1000, 64 << 10} {
				for _, relaxed := range []bool{false, true} {
					for _, end := range []string{"", "x"} {
						w := &worker{Hash: sha256.New()}
						c := &canonicalBody{relaxed: relaxed, hash: w}
						h := c.want(-1)
						text := strings.Repeat(unit, n) + end
						pieces := 0
						for ; len(text) > 0; pieces++ {
							cut := min(piece, len(text))
							c.Write([]byte(text[:cut]))
							text = text[cut:]
						}
						c.Close()
						if int64(w.octets) != h.size || h.size > int64(n*3+3) || w.writes > pieces+w.octets/1000+4 || cap(c.out) > 2*maxOut+2*len(lineEnds) {
							t.Errorf("%d of %q, relaxed %v, in pieces of %d: %d octets in %d writes, size %d, %d kept", n, unit, relaxed, piece, w.octets, w.writes, h.size, cap(c.out))
						}
					}
				}
			}
		}
	}
}
