package payload

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// shortFile is the largest that is looked at with -short.
const shortFile = 16 << 10

// corpusFiles are the files of all sets that stand beside the module, whether they are
// messages or not; with the race detector every eighth of them.
func corpusFiles(t *testing.T) (files []string) {
	const corpora = "../../../shared/corpora"
	if _, err := os.Stat(corpora); err != nil {
		t.Skip("no corpora beside the module")
	}
	all := 0
	err := filepath.WalkDir(corpora, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if all++; raceDetector && all%8 != 0 {
			return err
		}
		if err == nil && (!testing.Short() || info.Size() <= shortFile) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestMessagesOfRealSystemsMakeValidPayloads(t *testing.T) {
	s := strictSchema(t)
	files := corpusFiles(t)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), func(t *testing.T) {
			checkMessage(t, s.Validate, data)
		})
	}
	t.Logf("%d files", len(files))
}

// TestNoMessageOfRealSystemsCostsMuch: parsing and encoding are to stay below 200 ms of
// CPU for each MiB, where what is smaller than 64 KiB counts as that. The log says how
// near the worst comes. The test fails at ten times that, for the machine may be busy.
func TestNoMessageOfRealSystemsCostsMuch(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes time meaningless")
	}
	const bound, least, runs = 2 * time.Second, 64 << 10, 5
	buf := make([]byte, 32*1024)
	var total time.Duration
	var octets int64
	worst, worstFile := time.Duration(0), ""
	for _, file := range corpusFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		perMiB, cost := time.Duration(1<<62), time.Duration(0)
		for i := 0; i < runs && (i < 2 || perMiB > bound/40); i++ {
			before := cpuTime(t)
			drain(t, native1(t, parsedEvent(t, data), Include{HTML: true}), buf)
			if used := cpuTime(t) - before; i == 0 || used < cost {
				cost = used
			}
			perMiB = cost * (1 << 20) / time.Duration(max(len(data), least))
		}
		total += cost
		octets += int64(len(data))
		if perMiB > worst {
			worst, worstFile = perMiB, file
		}
		if perMiB > bound {
			t.Errorf("%s: %v for %d octets", file, cost, len(data))
		}
	}
	t.Logf("%d octets in %v; the worst has %v a MiB: %s", octets, total, worst, worstFile)
}

// cpuTime is what the process has used, which says more than the clock on a busy machine.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
