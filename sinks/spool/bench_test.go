//go:build unix

package spool_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/sinks"
	"mxhook/sinks/spool"
)

// share runs b.N calls of do in n goroutines, and reports how many were done a second
// and the processor time of each.
func share(b *testing.B, n int, do func(i int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	before, began := cpu(), time.Now()
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := do(int(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "events/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/event")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var crowd = []int{1, 20, 100}

// message is 30 KiB, the middle of real mail.
var body = append([]byte(text), make([]byte, 30<<10)...)

func numbered(b testing.TB, e *sinks.Event, data *inbound.MailData, n int) spool.Entry {
	x := *e
	x.Data, x.ID = data, fmt.Sprintf("msg_%026d", n)
	return entry(&x, "app")
}

func BenchmarkPut(b *testing.B) {
	e, data := received(b, 1), inbound.NewMailData(body)
	for _, n := range crowd {
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) {
			s := open(b, b.TempDir(), spool.Options{})
			share(b, n, func(i int) error { return s.Put([]spool.Entry{numbered(b, e, data, i)}) })
		})
	}
}

// BenchmarkPlainFile is what Put is measured against: one file of the same octets,
// with an fsync each.
func BenchmarkPlainFile(b *testing.B) {
	octets := append(body, make([]byte, 2500)...)
	for _, n := range crowd {
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) {
			dir := b.TempDir()
			share(b, n, func(i int) error {
				f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
				if err != nil {
					return err
				}
				defer f.Close()
				if _, err := f.Write(octets); err != nil {
					return err
				}
				return f.Sync()
			})
		})
	}
}

// unsynced are files that are not synced, to make many soon.
type unsynced struct{ spool.Files }

type unsyncedFile struct{ spool.File }

func (f unsynced) Sync(string) error      { return nil }
func (unsyncedFile) Sync() error          { return nil }
func (unsynced) Lock() (io.Closer, error) { return io.NopCloser(nil), nil }

func (f unsynced) Create(name string) (spool.File, error) {
	file, err := f.Files.Create(name)
	return unsyncedFile{file}, err
}

// BenchmarkOpen opens a spool of 100,000 waiting events, and tells what one costs in
// memory.
func BenchmarkOpen(b *testing.B) {
	const events = 100_000
	dir := b.TempDir()
	s := open(b, dir, spool.Options{Files: unsynced{spool.Folder(dir)}})
	e, data := received(b, 1), inbound.NewMailData([]byte(text))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := g; n < events; n += 8 {
				if err := s.Put([]spool.Entry{numbered(b, e, data, n)}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.Close()
	for b.Loop() {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		s, err := spool.Open(dir, spool.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/open")
		runtime.GC()
		runtime.ReadMemStats(&after)
		w, _, _ := s.Stats()
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(w), "heap-B/event")
		b.ReportMetric(float64(w), "events")
		s.Close()
	}
}
