package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mounted puts a file system of its own over a folder until the test or the returned
// function ends it. It needs a kernel that lets us.
func mounted(t testing.TB, dir, options string, flags uintptr) (unmount func()) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("a small file system can't be mounted here, which needs root: %v", err)
	}
	there := true
	unmount = func() {
		if there {
			there = false
			if err := syscall.Unmount(dir, 0); err != nil {
				syscall.Unmount(dir, syscall.MNT_DETACH)
			}
		}
	}
	t.Cleanup(unmount)
	return unmount
}

// fill takes all the space of a folder; remove the returned file to give it back.
func fill(t testing.TB, dir string) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 16, 1 << 12, 1} {
		for {
			if _, err = f.Write(make([]byte, size)); err != nil {
				break
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return filler
}

// diskConfig has so little memory that a large message needs a file.
const diskConfig = `
hostname: mx.in.example
limits: {memory: 1MiB, disk_reserve: 0}
delivery: {ledger: 1h, budget: 20s}
sinks:
  app: {type: webhook, url: %q}
  fussy: {type: webhook, url: %q}
routes:
  - {name: spool, recipient: "spool@in.example", deliver: [app], mode: spool}
  - {name: dead, recipient: "dead@in.example", deliver: [app, fussy]}
  - {name: rest, recipient: "@in.example", deliver: [app]}
`

// faultyDisk is a bridge whose state folder is on a small file system, or under
// read-only ones.
type faultyDisk struct {
	*running
	app, fussy *keeper
	state      string
	n          int
	sent       map[string]*letter
	promised   []heard
}

func newFaultyDisk(t *testing.T) *faultyDisk {
	d := &faultyDisk{app: startKeeper(t), fussy: startKeeper(t), state: t.TempDir(), sent: map[string]*letter{}}
	d.fussy.be(always(fends))
	return d
}

func (d *faultyDisk) yaml() string {
	return fmt.Sprintf(diskConfig, d.app.URL, d.fussy.URL)
}

// letter makes a new message.
func (d *faultyDisk) letter(rcpt string, size int) *letter {
	d.n++
	l := newLetter(fmt.Sprint("disk-", d.n), rcpt)
	l.text += strings.Repeat(strings.Repeat("x", 70)+"\r\n", size/72)
	d.sent[l.name] = l
	return l
}

// send sends a new message and returns what was heard of it.
func (d *faultyDisk) send(t *testing.T, rcpt string, size int) string {
	t.Helper()
	l := d.letter(rcpt, size)
	a, err := l.try(t.Context(), d.smtp, nil)
	if err != nil && !errors.Is(err, errNotNow) {
		t.Fatal(err)
	}
	for _, r := range a.promised() {
		d.promised = append(d.promised, heard{l.name, r})
	}
	return a.reply
}

// fails wants the next messages of a kind to be deferred for want of storage. What
// still finds room in a block that was written to before is really stored.
func (d *faultyDisk) fails(t *testing.T, rcpt string, size int) {
	t.Helper()
	for range 100 {
		reply := d.send(t, rcpt, size)
		if strings.HasPrefix(reply, "452 4.3.1 ") {
			return
		}
		if !strings.HasPrefix(reply, "250 ") {
			t.Fatalf("%s: reply %q, want 452 4.3.1", rcpt, reply)
		}
	}
	t.Fatalf("%s: a hundred messages were taken by a disk without room", rcpt)
}

// recovers wants mail to be taken again without a restart.
func (d *faultyDisk) recovers(t *testing.T) {
	t.Helper()
	kinds := map[string]int{"spool@in.example": 100, "dead@in.example": 100, "x@in.example": 100, "large@in.example": 3 << 19}
	for rcpt, size := range kinds {
		l := d.letter(rcpt, size)
		s := &mta{t: t, server: func() string { return d.smtp }, replies: map[string]int{}}
		if !s.bring(l) {
			t.Errorf("%s: not taken again", rcpt)
		}
		d.promised = append(d.promised, s.promised...)
	}
}

// keptAll wants each message that was promised to be at the app, the dead events to be
// there, and, after a restart, nothing to be delivered again.
func (d *faultyDisk) keptAll(t *testing.T) {
	t.Helper()
	dead := 0
	for _, p := range d.promised {
		d.app.await(t, fmt.Sprint("delivery of ", p.letter), func() bool { return len(d.app.of(p.letter, p.recipient)) > 0 })
		if p.recipient == "dead@in.example" {
			dead++
		}
	}
	if files, _ := filepath.Glob(filepath.Join(d.state, "dead", "*.json")); len(files) < dead {
		t.Errorf("%d dead events, want %d at least", len(files), dead)
	}
	if len(d.promised) == 0 {
		t.Fatal("nothing was promised")
	}
	if err := d.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.running = startBridgeIn(t, d.state, d.yaml())
	for _, p := range d.promised {
		before := len(d.app.of(p.letter, p.recipient))
		l := d.sent[p.letter]
		l.pending = []string{p.recipient}
		a, err := l.try(t.Context(), d.smtp, nil)
		if err != nil || !strings.HasPrefix(a.reply, "250 2.0.0 already delivered as msg_") || len(d.app.of(p.letter, p.recipient)) != before {
			t.Errorf("%s, which was heard before the restart: %q, %v", p.letter, a.reply, err)
		}
	}
	t.Logf("%d messages promised of %d sent", len(d.promised), d.n)
}

func TestAFullDiskDefersMailAndRecovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rcpt string
		size int
	}{{"x@in.example", 100}, {"spool@in.example", 100}, {"dead@in.example", 100}, {"large@in.example", 3 << 19}} {
		t.Run(c.rcpt, func(t *testing.T) {
			t.Parallel()
			d := newFaultyDisk(t)
			mounted(t, d.state, "size=8m", 0)
			d.running = startBridgeIn(t, d.state, d.yaml())
			if got := d.send(t, c.rcpt, c.size); !strings.HasPrefix(got, "250 ") {
				t.Fatal(got)
			}
			for range 2 {
				filler := fill(t, d.state)
				d.fails(t, c.rcpt, c.size)
				if err := os.Remove(filler); err != nil {
					t.Fatal(err)
				}
				d.recovers(t)
			}
			d.keptAll(t)
		})
	}
}

// TestAReadOnlyDiskDefersMailAndRecovers covers each folder of the state with one that
// can't be written. (One with open files can't be made so by an operator.)
func TestAReadOnlyDiskDefersMailAndRecovers(t *testing.T) {
	t.Parallel()
	for folder, rcpt := range map[string]string{"ledger": "x@in.example", "dead": "dead@in.example", "tmp": "large@in.example", "spool": "spool@in.example"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			d := newFaultyDisk(t)
			d.running = startBridgeIn(t, d.state, d.yaml())
			unmount := mounted(t, filepath.Join(d.state, folder), "size=1m", syscall.MS_RDONLY)
			d.fails(t, rcpt, map[string]int{"tmp": 3 << 19}[folder])
			unmount()
			d.recovers(t)
			d.keptAll(t)
		})
	}
}
