package inbound_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound"
)

func octets(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// fill writes p in pieces and freezes it.
func fill(s *inbound.Store, p []byte, piece int) (*inbound.MailData, error) {
	b := s.NewBuffer(0)
	for len(p) > 0 {
		n := min(piece, len(p))
		if _, err := b.Write(p[:n]); err != nil {
			b.Discard()
			return nil, err
		}
		p = p[n:]
	}
	return b.Freeze()
}

func checkBytes(t *testing.T, d *inbound.MailData, want []byte) {
	t.Helper()
	if got, err := io.ReadAll(d.Open()); err != nil || !bytes.Equal(got, want) || d.SHA256() != sha256.Sum256(want) {
		t.Errorf("%d octets instead of %d, or others: %v", len(got), len(want), err)
	}
}

// Beyond the budget messages go to files, however small they are, and all bytes stay.
func TestMessagesTogetherKeepTheMemoryBudget(t *testing.T) {
	const budget = 64 << 10
	s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: 16 << 10, Memory: budget})
	var sessions sync.WaitGroup
	for i := range 50 {
		sessions.Go(func() {
			text := octets(1000 * (i + 1))
			d, err := fill(s, text, 1500)
			if err != nil {
				t.Error(err)
				return
			}
			if n := s.InMemory(); n > budget+2*16<<10 { // takers that step back count for a moment
				t.Errorf("%d octets in memory", n)
			}
			checkBytes(t, d, text)
			defer d.Release()
		})
	}
	sessions.Wait()
	if n := s.InMemory(); n != 0 {
		t.Errorf("%d octets are left", n)
	}
}

func TestASmallMessageBeyondTheBudgetGoesToAFile(t *testing.T) {
	s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: 1000, Memory: 1500})
	var kept []*inbound.MailData
	for range 5 {
		d, err := fill(s, octets(1000), 1000)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, d)
	}
	if n := s.InMemory(); n != 1000 {
		t.Errorf("%d octets in memory", n)
	}
	for _, d := range kept {
		checkBytes(t, d, octets(1000))
		d.Release()
	}
}

// When the disk can't take a message, memory takes it, and when that is used up too,
// the message is refused and gives all back.
func TestMemoryTakesWhatTheDiskCannot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	noFolder := filepath.Join(file, "tmp")
	s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: noFolder, Threshold: 1000, Memory: 300_000})
	d, err := fill(s, octets(100_000), 700)
	if err != nil {
		t.Fatal(err)
	}
	checkBytes(t, d, octets(100_000))
	before := s.InMemory()
	if before < 100_000 || before > 200_000 {
		t.Errorf("%d octets in memory", before)
	}
	if _, err := fill(s, octets(250_000), 700); err == nil {
		t.Error("more was taken than there is room")
	}
	if s.InMemory() != before {
		t.Errorf("%d octets are left of a refused message", s.InMemory()-before)
	}
	d.Release()
	if s.InMemory() != 0 {
		t.Errorf("%d octets are left", s.InMemory())
	}
}

// A disk that fills up in the middle of a message costs it nothing while there is
// memory: what the file has is read back.
func TestADiskThatFillsUpInTheMiddle(t *testing.T) {
	for _, memory := range []int64{300_000, 50_000} {
		s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: 1000, Memory: memory})
		b := s.NewBuffer(0)
		text := octets(100_000)
		if _, err := b.Write(text[:60_000]); err != nil {
			t.Fatal(err)
		}
		readOnly, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		readOnly.Write(text[:60_000])
		f, err := os.Open(readOnly.Name()) // every write fails
		if err != nil {
			t.Fatal(err)
		}
		readOnly.Close()
		b.SpillTo(f)
		_, err = b.Write(text[60_000:])
		if memory == 50_000 {
			if err == nil || b.Size() != 60_000 {
				t.Errorf("a message that fits nowhere is taken: %v", err)
			}
			b.Discard()
		} else if d, err := b.Freeze(); err != nil {
			t.Error(err)
		} else {
			checkBytes(t, d, text)
			d.Release()
		}
		if n := s.InMemory(); n != 0 {
			t.Errorf("%d octets are left", n)
		}
	}
}

func TestAdmit(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name                  string
		memory, reserve, free int64
		used                  int // in memory by others
		size                  int64
		admitted, exhausted   bool
	}{
		{"all is there", 10 * mib, 100 * mib, 200 * mib, 0, 50 * mib, true, false},
		{"no size is said", 10 * mib, 100 * mib, 200 * mib, 0, 0, true, false},
		{"less is free than the reserve", 10 * mib, 100 * mib, 99 * mib, 0, 0, false, false},
		{"less is free, and the message would fit into memory", 10 * mib, 100 * mib, 99 * mib, 0, 1000, false, false},
		{"less would be free than the reserve", 10 * mib, 100 * mib, 120 * mib, 0, 50 * mib, false, false},
		{"less would be free, but memory takes it", 60 * mib, 100 * mib, 120 * mib, 0, 50 * mib, true, false},
		{"memory is used up and the disk takes it", 1 * mib, 100 * mib, 200 * mib, mib, 1000, true, false},
		{"both are used up", 1 * mib, 100 * mib, 99 * mib, mib, 1000, false, true},
		{"no reserve, nothing free", 10 * mib, 0, 0, 0, 0, true, false},
		{"no reserve, nothing free, large", 10 * mib, 0, 0, 0, 20 * mib, false, false},
		{"the free space isn't known", 10 * mib, 100 * mib, -1, 0, 50 * mib, true, false},
		{"no budget", 0, 100 * mib, 200 * mib, 0, 50 * mib, true, false},
	} {
		s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: mib, Memory: c.memory, Reserve: c.reserve})
		free := int64(1 << 40)
		s.SetFree(func(string) (int64, error) {
			if free < 0 {
				return 0, errors.New("unknown")
			}
			return free, nil
		})
		synctest.Test(t, func(t *testing.T) {
			if c.used > 0 {
				d, err := fill(s, make([]byte, c.used), c.used)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Release()
			}
			free = c.free
			time.Sleep(time.Second)
			if err := s.Admit(c.size); (err == nil) != c.admitted || s.Exhausted() != c.exhausted {
				t.Errorf("%s: %v, exhausted %v", c.name, err, s.Exhausted())
			}
		})
	}
}

// The file system is asked once a second at most, and what is said then holds so long.
func TestTheFreeSpaceIsAskedForOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: "x", Threshold: 1, Memory: 1, Reserve: 10})
		asked, free := 0, int64(5)
		s.SetFree(func(string) (int64, error) { asked++; return free, nil })
		for range 100 {
			if s.Admit(0) == nil {
				t.Fatal("admitted")
			}
		}
		free = 20
		time.Sleep(999 * time.Millisecond)
		if s.Admit(0) == nil || asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		time.Sleep(time.Millisecond)
		if err := s.Admit(0); err != nil || asked != 2 {
			t.Errorf("asked %d times, %v", asked, err)
		}
	})
}

// While less is free than the reserve no file grows: memory takes the rest, or nobody.
func TestTheReserveHoldsWithinAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: 1000, Memory: 50_000, Reserve: 10})
		free := int64(20)
		s.SetFree(func(string) (int64, error) { return free, nil })
		b := s.NewBuffer(0)
		if _, err := b.Write(octets(10_000)); err != nil || s.InMemory() != 0 {
			t.Fatal(err, s.InMemory())
		}
		free = 5
		time.Sleep(time.Second)
		if _, err := b.Write(octets(10_000)); err != nil || s.InMemory() < 20_000 {
			t.Error(err, s.InMemory())
		}
		if _, err := b.Write(octets(100_000)); err == nil {
			t.Error("the reserve is used")
		}
		b.Discard()
		if s.InMemory() != 0 {
			t.Errorf("%d octets are left", s.InMemory())
		}
	})
}

func TestPrepareRemovesWhatACrashLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "tmp")
	s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: dir})
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"message-1.tmp", "message-22.tmp", "other.tmp", "message.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 2 || left[0].Name() != "message.txt" || left[1].Name() != "other.tmp" {
		t.Errorf("left: %v", left)
	}
}

func TestFreeSpaceOfARealFileSystem(t *testing.T) {
	for reserve, want := range map[int64]bool{1: true, 1 << 60: false} {
		s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: t.TempDir(), Threshold: 1, Reserve: reserve})
		if err := s.Admit(0); (err == nil) != want {
			t.Errorf("reserve %d: %v", reserve, err)
		}
	}
}
