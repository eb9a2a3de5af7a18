package inbound_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"mxhook/inbound"
)

func write(t *testing.T, s *inbound.Store, piece int, text string) *inbound.MailData {
	t.Helper()
	b := s.NewBuffer(0)
	for len(text) > 0 {
		n := min(piece, len(text))
		if _, err := io.WriteString(b, text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	d, err := b.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMailDataIsTheSameInMemoryAndInAFile(t *testing.T) {
	for _, c := range []struct{ name, header, body string }{
		{"header and body", "A: 1\r\nB: 2\r\n\r\n", "body\r\n"},
		{"bare LF", "A: 1\n\n", "body\n"},
		{"an empty line of CR CR LF", "A: 1\r\n\r\r\n", "x"},
		{"a header section alone", "A: 1\r\n", ""},
		{"no header", "\r\n", "body\r\n\r\nmore"},
		{"nothing", "", ""},
		{"NUL and 8 bits", "A: \x00\xff\r\n\r\n", "\x00\r\x00\n"},
		{"a bare CR is no line end", "A: 1\r\rB: 2\r\n\r\n", "x"},
	} {
		for _, threshold := range []int64{0, 3, 7, 1000} {
			for _, piece := range []int{1, 2, 5, 1000} {
				dir := t.TempDir()
				s := inbound.NewStore(dir, threshold)
				all := c.header + c.body
				d := write(t, s, piece, all)
				if err := iotest.TestReader(d.Open(), []byte(all)); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				if d.Size() != int64(len(all)) || d.BodyOffset() != int64(len(c.header)) ||
					d.SHA256() != sha256.Sum256([]byte(all)) || d.BodySHA256() != sha256.Sum256([]byte(c.body)) {
					t.Errorf("%s, threshold %d, pieces of %d: size %d, body at %d", c.name, threshold, piece, d.Size(), d.BodyOffset())
				}
				if want := int64(len(all)); want <= threshold && (s.InMemory() < want || s.InMemory() > 2*want) || want > threshold && s.InMemory() != 0 {
					t.Errorf("%s, threshold %d: %d octets in memory", c.name, threshold, s.InMemory())
				}
				want := []byte(nil)
				if d.Size() <= threshold {
					want = []byte(all)
				}
				if !bytes.Equal(d.Bytes(), want) {
					t.Errorf("%s, threshold %d: Bytes is %q", c.name, threshold, d.Bytes())
				}
				d.Release()
				if d.Bytes() != nil {
					t.Errorf("%s, threshold %d: Bytes after the last Release", c.name, threshold)
				}
				left, _ := filepath.Glob(filepath.Join(dir, "*"))
				if s.InMemory() != 0 || len(left) != 0 {
					t.Errorf("%s: %d octets and %q are left", c.name, s.InMemory(), left)
				}
			}
		}
	}
}

func TestNewMailDataEqualsAWrittenOne(t *testing.T) {
	text := "A: 1\r\n\r\nbody"
	a, b := inbound.NewMailData([]byte(text)), write(t, inbound.NewStore(t.TempDir(), 100), 3, text)
	defer a.Release()
	defer b.Release()
	if a.SHA256() != b.SHA256() || a.BodySHA256() != b.BodySHA256() || a.BodyOffset() != b.BodyOffset() || a.Size() != b.Size() {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestADiskErrorIsKeptAndNothingIsLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tmp")
	s := inbound.NewStore(dir, 4)
	b := s.NewBuffer(0)
	if _, err := b.Write([]byte("1234")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, first := b.Write([]byte("5"))
	if !errors.Is(first, syscall.ENOTDIR) {
		t.Fatalf("write where no folder can be: %v", first)
	}
	if _, err := b.Write([]byte("6")); err != first {
		t.Errorf("a later write: %v", err)
	}
	if b.Size() != 4 {
		t.Errorf("size %d", b.Size())
	}
	if d, err := b.Freeze(); err != first || d != nil {
		t.Errorf("Freeze: %v, %v", d, err)
	}
	if s.InMemory() != 0 {
		t.Errorf("%d octets are held", s.InMemory())
	}
}

func TestAMissingFolderIsMade(t *testing.T) {
	s := inbound.NewStore(filepath.Join(t.TempDir(), "state", "tmp"), 4)
	b := s.NewBuffer(0)
	if _, err := b.Write([]byte("12345")); err != nil {
		t.Fatal(err)
	}
	d, err := b.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	if p, err := io.ReadAll(d.Open()); err != nil || string(p) != "12345" {
		t.Errorf("%q %v", p, err)
	}
}

// A file system that is full fails in Write, not when the file is made.
func TestAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full:", err)
	}
	defer full.Close()
	s := inbound.NewStore(t.TempDir(), 4)
	b := s.NewBuffer(0)
	b.SpillTo(full)
	if _, err := b.Write(bytes.Repeat([]byte("x"), 100)); err == nil {
		t.Fatal("a full disk took a message")
	}
	if _, err := b.Freeze(); err == nil {
		t.Fatal("Freeze hides the error")
	}
	if s.InMemory() != 0 {
		t.Errorf("%d octets are held", s.InMemory())
	}
}

func TestADiscardedBufferLeavesNothing(t *testing.T) {
	for _, size := range []int{3, 100} {
		dir := t.TempDir()
		s := inbound.NewStore(dir, 10)
		b := s.NewBuffer(5)
		if _, err := b.Write(bytes.Repeat([]byte("x"), size)); err != nil {
			t.Fatal(err)
		}
		b.Discard()
		b.Discard()
		left, _ := os.ReadDir(dir)
		if s.InMemory() != 0 || len(left) != 0 {
			t.Errorf("%d octets, %v", s.InMemory(), left)
		}
		if _, err := b.Write([]byte("y")); err == nil {
			t.Error("a discarded buffer takes more")
		}
	}
}

func TestDiscardAfterFreezeChangesNothing(t *testing.T) {
	for _, threshold := range []int64{0, 100} {
		s := inbound.NewStore(t.TempDir(), threshold)
		b := s.NewBuffer(0)
		io.WriteString(b, "text")
		d, err := b.Freeze()
		if err != nil {
			t.Fatal(err)
		}
		b.Discard()
		if all, err := io.ReadAll(d.Open()); string(all) != "text" || err != nil {
			t.Errorf("%q, %v", all, err)
		}
		d.Release()
	}
}

func TestTheLastReleaseFrees(t *testing.T) {
	for _, threshold := range []int64{0, 100} {
		s := inbound.NewStore(t.TempDir(), threshold)
		d := write(t, s, 10, strings.Repeat("x", 50))
		var readers sync.WaitGroup
		for range 8 {
			d.Retain()
			readers.Go(func() {
				defer d.Release()
				if all, err := io.ReadAll(d.Open()); len(all) != 50 || err != nil {
					t.Errorf("%d octets, %v", len(all), err)
				}
			})
		}
		readers.Wait()
		if _, err := d.ReadAt(make([]byte, 1), 0); err != nil {
			t.Errorf("before the last Release: %v", err)
		}
		d.Release()
		d.Release() // one too many frees nothing twice
		if _, err := d.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
			t.Errorf("after the last Release: %v", err)
		}
		if s.InMemory() != 0 {
			t.Errorf("%d octets are held", s.InMemory())
		}
	}
}

func TestReadAtKeepsTheContract(t *testing.T) {
	d := inbound.NewMailData([]byte("0123456789"))
	defer d.Release()
	p := make([]byte, 4)
	for _, c := range []struct {
		off int64
		n   int
		err error
	}{{0, 4, nil}, {6, 4, nil}, {8, 2, io.EOF}, {10, 0, io.EOF}, {99, 0, io.EOF}} {
		if n, err := d.ReadAt(p, c.off); n != c.n || err != c.err {
			t.Errorf("at %d: %d, %v", c.off, n, err)
		}
	}
	if _, err := d.ReadAt(p, -1); err == nil {
		t.Error("a negative offset")
	}
}
