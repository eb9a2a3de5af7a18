package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"io"
)

const benchConfig = `
hostname: mx.in.example
sinks:
  app: {type: webhook, url: "%URL%", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"}
routes:
  - {recipient: "@in.example", deliver: [app]}
`

// BenchmarkWholePath sends messages over loopback SMTP to a webhook, each on a
// connection of its own, verified, parsed and signed. CPU is that of this process:
// the bridge, and the client and the receiver beside it.
func BenchmarkWholePath(b *testing.B) {
	for _, size := range []struct {
		name   string
		octets int
	}{{"1KiB", 1 << 10}, {"20KiB", 20 << 10}, {"200KiB", 200 << 10}, {"10MiB", 10 << 20}} {
		b.Run(size.name, func(b *testing.B) {
			a := startApp(b)
			a.set(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
			bridge := startBridge(b, strings.ReplaceAll(benchConfig, "%URL%", a.URL))
			message := benchMessage(size.octets)
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			before := cpuTime(b)
			for n := 0; b.Loop(); n++ {
				unique := fmt.Appendf(nil, "Message-ID: <%d@sender.example>\r\n", n)
				if reply := bridge.send(b, "ann@sender.example", "support@in.example", append(unique, message...)); !strings.HasPrefix(reply, "250 ") {
					b.Fatal(reply)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// benchMessage returns a message of about n octets: text alone when it is small,
// otherwise text and an attachment.
func benchMessage(n int) []byte {
	var m bytes.Buffer
	m.WriteString("From: Ann <ann@sender.example>\r\nTo: support@in.example\r\nSubject: a benchmark\r\n" +
		"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n")
	if n <= 20<<10 {
		m.WriteString("Content-Type: text/plain; charset=utf-8\r\n\r\n")
		for m.Len() < n {
			m.WriteString("The quick brown fox jumps over the lazy dog, and the dog does not mind it at all.\r\n")
		}
		return m.Bytes()
	}
	m.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n" +
		"--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=data.bin\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n")
	random := rand.New(rand.NewPCG(1, 2))
	line := make([]byte, 57)
	for m.Len() < n {
		for i := range line {
			line[i] = byte(random.Uint32())
		}
		m.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	m.WriteString("--b--\r\n")
	return m.Bytes()
}

// cpuTime returns the user and system time of this process.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
