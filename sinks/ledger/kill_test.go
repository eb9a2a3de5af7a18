//go:build unix

package ledger_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"mxhook/sinks/ledger"
)

// asMarker makes the test's own binary mark units in the folder that it names, and
// print each number when Mark has said that it is done.
const asMarker = "MXHOOK_TEST_LEDGER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asMarker); dir != "" {
		markForEver(dir)
	}
	os.Exit(m.Run())
}

// markForEver marks with several goroutines until it is killed. The first number is
// given.
func markForEver(dir string) {
	l, err := ledger.Open(dir, ledger.Options{MaxUnits: 1 << 20})
	if err != nil {
		panic(err)
	}
	var first int
	fmt.Sscan(os.Getenv(asMarker+"_FIRST"), &first)
	for g := range 4 {
		go func() {
			for n := first + g; ; n += 4 {
				if err := l.Mark(event(n), ledger.Delivered, []ledger.Key{key(n)}); err != nil {
					panic(err)
				}
				os.Stdout.WriteString(fmt.Sprintln(n)) // one write: a line is whole
			}
		}()
	}
	select {}
}

func TestNothingMarkedIsLostByKill9(t *testing.T) {
	const kills = 40
	dir := t.TempDir()
	next := 0
	var all []int
	for round := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asMarker+"="+dir, fmt.Sprintf("%s_FIRST=%d", asMarker, next))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var once sync.Once
		for lines.Scan() {
			var n int
			if _, err := fmt.Sscan(lines.Text(), &n); err == nil {
				all = append(all, n)
				next = max(next, n+8)
			}
			once.Do(func() { // the process lives: it dies some time from now
				time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() { cmd.Process.Kill() })
			})
		}
		cmd.Wait()
		began := time.Now()
		l, err := ledger.Open(dir, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("opened in %v", took)
		}
		for _, n := range all {
			if got := l.Known([]ledger.Key{key(n)})[0]; got.Event != event(n) {
				t.Fatalf("kill %d: event %d was marked and is %+v", round, n, got)
			}
		}
		l.Close()
	}
	if len(all) < kills {
		t.Errorf("%d marks in %d processes", len(all), kills)
	}
	t.Logf("%d marks, %d kills", len(all), kills)
}
