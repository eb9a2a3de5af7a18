package webhook_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks/payload/payloadtest"
	"mxhook/sinks/webhook"
)

const residentMost = 100 << 20

// load returns how many events are sent at once, and of which size.
func load() (events, size int) {
	if os.Getenv("MXHOOK_LOAD") != "" {
		return 100, 25 << 20
	}
	return 40, 4 << 20
}

// With MXHOOK_LOAD set a hundred events of 25 MiB, without it fewer and smaller ones,
// that are sent at once to a receiver that takes its time keep the process that sends
// them below 100 MiB. The receiver reads on only when all have begun to arrive.
func TestLargeEventsAtOnceStaySmall(t *testing.T) {
	atOnce, size := load()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc")
	}
	var begun sync.WaitGroup
	begun.Add(atOnce)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 1<<20)
		begun.Done()
		begun.Wait()
		if n, _ := io.Copy(io.Discard, r.Body); n+1<<20 != r.ContentLength {
			t.Errorf("%d octets of %d", n+1<<20, r.ContentLength)
		}
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "large.eml")
	if err := os.WriteFile(file, largeMessage(size), 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestSendLargeEvents$", "-test.v")
	child.Env = append(os.Environ(), "MXHOOK_LARGE_FILE="+file, "MXHOOK_LARGE_URL="+server.URL)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, after, _ := strings.Cut(string(out), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscanf(after, "%d", &kib); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	t.Logf("%d events of %d MiB: %d MiB resident at most", atOnce, size>>20, kib>>10)
	if kib<<10 > residentMost {
		t.Errorf("%d MiB resident, at most %d are wanted", kib>>10, residentMost>>20)
	}
}

func largeMessage(size int) []byte {
	var b bytes.Buffer
	b.WriteString("From: ann@sender.example\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	line := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("abc"), 19)) + "\r\n"
	b.WriteString(strings.Repeat(line, (size-b.Len())/len(line)))
	return b.Bytes()
}

// TestSendLargeEvents is the process that TestLargeEventsAtOnceStaySmall starts.
func TestSendLargeEvents(t *testing.T) {
	file, url := os.Getenv("MXHOOK_LARGE_FILE"), os.Getenv("MXHOOK_LARGE_URL")
	if file == "" {
		t.Skip("another test starts it")
	}
	atOnce, _ := load()
	s := newSink(t, webhook.Config{URL: url, Concurrency: atOnce, Timeout: 10 * time.Minute, Secrets: [][]byte{[]byte("key of thirty-two octets, or more")}})
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			f, err := os.Open(file)
			if err != nil {
				t.Error(err)
				return
			}
			info, _ := f.Stat()
			data, err := inbound.OpenMailData(f, info.Size())
			if err != nil {
				t.Error(err)
				return
			}
			e := payloadtest.Event(t, []byte("From: ann@sender.example\r\n\r\n"))
			e.Data, e.Message = data, message.Parse(data, data.Size(), message.Options{})
			if o := s.Deliver(t.Context(), e); o.Err != nil {
				t.Error(o.Err)
			}
		})
	}
	wg.Wait()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			t.Log(line)
		}
	}
}
