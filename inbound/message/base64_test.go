package message

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"
)

// byLibrary is the base64 of b as encoding/base64 reads it, strictly, once the line ends
// are out; ok is false where it finds a fault.
func byLibrary(b []byte) (out []byte, ok bool) {
	var joined []byte
	for l := range bytes.Lines(b) {
		if k := len(l) - 1; l[k] == '\n' {
			l = bytes.TrimSuffix(l[:k], []byte("\r"))
		}
		joined = append(joined, l...)
	}
	if bytes.IndexByte(joined, '\r') >= 0 {
		return nil, false // the library skips it
	}
	out, err := base64.StdEncoding.Strict().DecodeString(string(joined))
	return out, err == nil
}

// lineByLine decodes without the way for clean blocks.
func lineByLine(b []byte) (out []byte, damaged bool) {
	var d decoder
	for l := range bytes.Lines(b) {
		if !d.done {
			d.base64Line(l)
		}
	}
	d.enc = base64Encoded
	d.lastBlock()
	return d.dec, d.damaged
}

// checkBase64 holds the decoder of b, in blocks of some octets, against the library
// and against the way without blocks.
func checkBase64(t *testing.T, b []byte, block int) {
	t.Helper()
	d := &decoder{raw: make([]byte, block)}
	d.reset(bytes.NewReader(b), 0, int64(len(b)), base64Encoded)
	d.raw = d.raw[:block]
	got, err := io.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	want, clean := byLibrary(b)
	// Padding that is cut off from its letters by the end of a block is taken for damage.
	whole := len(b) <= block || bytes.IndexByte(b, '=') < 0
	if clean && whole && (d.damaged || !bytes.Equal(got, want)) {
		t.Fatalf("%q in blocks of %d: %q, damaged %v; the library reads %q", b, block, got, d.damaged, want)
	}
	if len(b) <= block {
		if slow, damaged := lineByLine(b); !bytes.Equal(got, slow) || !clean && d.damaged != damaged {
			t.Fatalf("%q: %q, damaged %v; line by line %q, %v", b, got, d.damaged, slow, damaged)
		}
		if clean == (d.mended || d.damaged) && !blank(b) {
			t.Fatalf("%q: mended %v, the library reads it: %v", b, d.mended, clean)
		}
	}
	if d.damaged || d.mended {
		return
	}
	letters := io.LimitReader(&lettersReader{bytes.NewReader(b), 0, int64(len(b))}, int64(len(got)+2)/3*4)
	buf := make([]byte, block)
	var carried bytes.Buffer
	if _, err := io.CopyBuffer(struct{ io.Writer }{&carried}, letters, buf); err != nil || carried.String() != base64.StdEncoding.EncodeToString(got) {
		t.Fatalf("%q in blocks of %d is carried as %q (%v)", b, block, carried.String(), err)
	}
}

// blank tells whether b is nothing but blanks, which hold no base64 whatever they are.
func blank(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }

func TestBase64IsReadAsTheLibraryReadsIt(t *testing.T) {
	content := make([]byte, 4000)
	for i := range content {
		content[i] = byte(i*i>>3 + i)
	}
	sizes := []int{0, 1, 2, 3, 56, 57, 58, 1000, 3998, 3999, 4000}
	if raceDetector {
		sizes = sizes[:8]
	}
	for _, size := range sizes {
		letters := base64.StdEncoding.EncodeToString(content[:size])
		for _, width := range []int{1, 3, 4, 38, 39, 76, 77, 5000} {
			for _, eol := range []string{"\n", "\r\n", "\r\n\r\n"} {
				var b strings.Builder
				for rest := letters; rest != ""; {
					n := min(width, len(rest))
					b.WriteString(rest[:n] + eol)
					rest = rest[n:]
				}
				for _, s := range []string{b.String(), strings.TrimSuffix(b.String(), eol), b.String() + eol} {
					for _, block := range []int{7, 100, 1 << 14} {
						checkBase64(t, []byte(s), block)
					}
				}
			}
		}
	}
}

// Two lines that are together as long as the one before are two, and carried all the same.
func TestUnevenLinesOfBase64AreClean(t *testing.T) {
	s := strings.Repeat("QUJDREVGR0g=", 1)
	long := strings.Repeat("QUJD", 19) + "\r\n"
	for _, tail := range []string{
		strings.Repeat("QUJD", 9) + "\r\n" + strings.Repeat("QUJD", 9) + "QU\r\nJD" + "\r\n",
		long[:37] + "\n" + long[:39] + "\n" + s,
	} {
		d := new(decoder)
		b := []byte(long + long + tail)
		d.reset(bytes.NewReader(b), 0, int64(len(b)), base64Encoded)
		if _, err := io.Copy(io.Discard, d); err != nil || d.mended || d.damaged {
			t.Errorf("%q: mended %v, damaged %v, %v", tail, d.mended, d.damaged, err)
		}
		checkBase64(t, b, len(b))
	}
}

// FuzzBase64 holds the decoder against the library.
func FuzzBase64(f *testing.F) {
	for _, s := range []string{"YWJj\r\nZA==\r\n", "YWJjZA\r\n==\r\n", "YWJj\rYWJj\n", "YWJjZB==", "YWJj=\n", "Y\nW\nJ\nj", "YWJj\r\n\r\nZ*A==", "YW Jj\n", "QQ==QUJD", "\r\n\r\n\r\nQQ=="} {
		f.Add([]byte(s), uint8(255))
	}
	f.Fuzz(func(t *testing.T, b []byte, block uint8) {
		checkBase64(t, b, int(block)+8)
	})
}
