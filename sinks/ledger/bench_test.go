//go:build unix

package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mxhook/sinks/ledger"
)

var crowd = []int{1, 20, 100}

// share runs b.N calls of do in n goroutines, and reports the processor time of each.
func share(b *testing.B, n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	before := cpu()
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				do(int(i))
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkMark(b *testing.B) {
	for _, n := range crowd {
		b.Run(fmt.Sprint("goroutines=", n), func(b *testing.B) {
			l := open(b, b.TempDir(), ledger.Options{})
			share(b, n, func(i int) { mark(b, l, i) })
		})
	}
}

// BenchmarkPlainFile is what Mark is measured against: a file of the same records
// with an fsync each.
func BenchmarkPlainFile(b *testing.B) {
	for _, n := range crowd {
		b.Run(fmt.Sprint("goroutines=", n), func(b *testing.B) {
			f, err := os.OpenFile(filepath.Join(b.TempDir(), "plain"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			record := make([]byte, 80)
			share(b, n, func(int) {
				if _, err := f.Write(record); err != nil {
					b.Error(err)
				}
				if err := f.Sync(); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkOpen opens a full ledger, and tells what a unit costs in memory.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l := open(b, dir, ledger.Options{})
	const units = 1_000_000
	keys := make([]ledger.Key, 0, units)
	for n := range units {
		keys = append(keys, key(n))
	}
	var wg sync.WaitGroup
	for g := range 200 { // an event each, in shared writes
		wg.Go(func() {
			for n := g; n < units; n += 200 {
				if err := l.Mark(event(n), ledger.Delivered, keys[n:n+1]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	l.Close()
	for b.Loop() {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		l, err := ledger.Open(dir, ledger.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/open")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(l.Units()), "heap-B/unit")
		b.ReportMetric(float64(l.Units()), "units")
		l.Close()
	}
}
