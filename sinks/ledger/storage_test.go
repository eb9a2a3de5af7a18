package ledger_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/ledger"
	"mxhook/sinks/ledger/ledgertest"
)

func TestMarksShareASync(t *testing.T) {
	const sessions = 20
	d := ledgertest.NewDisk()
	l := open(t, "", ledger.Options{Files: d})
	mark(t, l, 0)
	before := d.Syncs()
	held, proceed := make(chan bool), make(chan bool)
	first := true
	d.Fail(func(op string) error {
		if op == "sync" && first {
			first = false
			close(held)
			<-proceed
		}
		return nil
	})
	var wg sync.WaitGroup
	wg.Go(func() { mark(t, l, 1) })
	<-held
	for n := range sessions {
		wg.Go(func() { mark(t, l, 100+n) })
	}
	for l.Waiting() < sessions {
		time.Sleep(time.Millisecond)
	}
	close(proceed)
	wg.Wait()
	if got := d.Syncs() - before; got != 2 {
		t.Errorf("%d marks made %d syncs, want one for the first and one for the others", sessions+1, got)
	}
}

func TestAFailedMarkIsNotKnownAndTheLedgerRecovers(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "syncdir"} {
		for _, cause := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
			for _, fresh := range []bool{true, false} {
				t.Run(fmt.Sprint(op, cause, fresh), func(t *testing.T) { failAndRecover(t, op, cause, fresh) })
			}
		}
	}
}

func failAndRecover(t *testing.T, op string, cause error, fresh bool) {
	d := ledgertest.NewDisk()
	var log safeBuffer
	l := open(t, "", ledger.Options{Files: d, Retry: 20 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !fresh {
		mark(t, l, 1)
	}
	broken := true
	var mu sync.Mutex
	d.Fail(func(o string) error {
		mu.Lock()
		defer mu.Unlock()
		if broken && (o == op || o == "truncate" && cause == syscall.EIO) {
			return cause
		}
		return nil
	})
	err := l.Mark(event(2), ledger.Delivered, []ledger.Key{key(2)})
	if !fresh && (op == "create" || op == "syncdir") {
		if err != nil {
			t.Error("an open segment needs no new file:", err)
		}
		return
	}
	if status.ConditionOf(err) != status.NoStorage || knows(l, 2) {
		t.Errorf("mark: %v, known %v", err, knows(l, 2))
	}
	if status.ConditionOf(l.Usable()) != status.NoStorage {
		t.Error("it seems usable")
	}
	if !strings.Contains(log.String(), "ledger can't be written, mail is deferred") {
		t.Errorf("log: %s", log.String())
	}
	mu.Lock()
	broken = false
	mu.Unlock()
	deadline := time.Now().Add(10 * time.Second)
	for l.Usable() != nil {
		if time.Now().After(deadline) {
			t.Fatal("it does not recover by itself")
		}
		time.Sleep(20 * time.Millisecond)
	}
	mark(t, l, 3)
	l.Close()
	d.PowerFailure(func(int) int { return 0 })
	l = open(t, "", ledger.Options{Files: d})
	if knows(l, 1) == fresh || !knows(l, 3) {
		t.Errorf("after a restart: 1 %v, 3 %v", knows(l, 1), knows(l, 3))
	}
}

// safeBuffer is a log.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestARealFileThatIsFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	dir := t.TempDir()
	l := open(t, dir, ledger.Options{})
	// The name of the first segment leads to a device that is always full.
	name := filepath.Join(dir, "0000000000000000.ledger")
	if err := os.Symlink("/dev/full", name); err != nil {
		t.Fatal(err)
	}
	if err := l.Mark(event(1), ledger.Delivered, []ledger.Key{key(1)}); status.ConditionOf(err) != status.NoStorage {
		t.Errorf("%v", err)
	}
	mark(t, l, 2)
}
