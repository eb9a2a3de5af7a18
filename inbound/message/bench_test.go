package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mxhook/inbound"
)

const benchHeader = "Received: from mail.sender.example (mail.sender.example [192.0.2.1])\r\n\tby mx.in.example with ESMTPS id 1234\r\n\tfor <support@in.example>; Sat, 21 Nov 2026 10:00:00 +0000\r\n" +
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=s1;\r\n\th=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=dGhpcyBpcyBub3QgYSBzaWduYXR1cmUsIG9ubHkgYXMgbG9uZyBhcyBvbmUu\r\n" +
	"From: Ann Example <ann@sender.example>\r\nTo: =?utf-8?Q?J=C3=B6rg?= <support@in.example>, Bob <bob@in.example>\r\n" +
	"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=\r\nDate: Sat, 21 Nov 2026 10:59:58 +0100\r\nMessage-ID: <bench-1@sender.example>\r\nMIME-Version: 1.0\r\n"

// benchAttachment returns a message whose attachment has about n octets of base64.
func benchAttachment(n int) string {
	var b strings.Builder
	b.WriteString(benchHeader + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSee the file.\r\n" +
		"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	line := make([]byte, 57)
	for i := 0; b.Len() < n; i++ {
		for k := range line {
			line[k] = byte(i*31 + k*17)
		}
		b.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

func benchMessages() map[string]string {
	text := strings.Repeat("Some plain words in a line of the usual length.\r\n", 8)
	qp := strings.Repeat("Gr=C3=BC=C3=9Fe aus K=C3=B6ln, and a line that is broken softly beca=\r\nuse it is long.\r\n", 50)
	html := "<html><body>" + strings.Repeat("<p style=3D\"color:red\">Gr=C3=BC=C3=9Fe <a href=3D\"https://shop.example/=\r\n?a=3D1\">link</a></p>\r\n", 170) + "</body></html>\r\n"
	return map[string]string{
		"1KiB": benchHeader + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + text,
		"20KiB-alternative": benchHeader + "Content-Type: multipart/alternative; boundary=b\r\n\r\n" +
			"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + qp +
			"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + html + "--b--\r\n",
		"200KiB-attachment": benchAttachment(200 << 10),
		"10MiB-attachment":  benchAttachment(10 << 20),
	}
}

func BenchmarkParse(b *testing.B) {
	messages := benchMessages()
	for _, name := range []string{"1KiB", "20KiB-alternative", "200KiB-attachment", "10MiB-attachment"} {
		s := []byte(messages[name])
		data := inbound.NewMailData(s) // in memory, as the bridge has what is no larger than spool.memory
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				Parse(data, data.Size(), Options{})
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpuTime is what the process has used, which says more than the clock on a busy machine.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFloor is what no parser can do without, on the same messages: the structure
// as the standard library walks it, with texts decoded; and of attachments the
// digest and their base64, which Parse undoes for it.
func BenchmarkFloor(b *testing.B) {
	messages := benchMessages()
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
	for _, name := range []string{"1KiB", "20KiB-alternative"} {
		run(name, func() { walkWithLibrary(b, messages[name]) })
	}
	for _, name := range []string{"200KiB-attachment", "10MiB-attachment"} {
		_, body, _ := strings.Cut(messages[name], "base64\r\n\r\n")
		lines := []byte(strings.TrimSuffix(body, "--b--\r\n"))
		joined := make([]byte, 0, len(lines))
		run(name+" lines", func() {
			joined = joined[:0]
			for rest := lines; len(rest) > 0; {
				k := bytes.IndexByte(rest, '\n')
				joined = append(joined, rest[:k-1]...)
				rest = rest[k+1:]
			}
		})
		out := make([]byte, len(joined))
		n, _ := base64.StdEncoding.Decode(out, joined)
		run(name+" base64", func() { base64.StdEncoding.Decode(out, joined) })
		run(name+" sha256", func() { sha256.Sum256(out[:n]) })
	}
}

// walkWithLibrary reads a message with the packages of the standard library alone.
func walkWithLibrary(b *testing.B, s string) {
	m, err := mail.ReadMessage(strings.NewReader(s))
	if err != nil {
		b.Fatal(err)
	}
	m.Header.AddressList("From")
	m.Header.AddressList("To")
	_, params, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if params["boundary"] == "" {
		io.Copy(io.Discard, m.Body)
		return
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextPart() // undoes quoted-printable
		if err != nil {
			return
		}
		io.Copy(io.Discard, p)
	}
}

// What Parse allocates does not grow with an attachment.
func TestAttachmentsAreNotHeld(t *testing.T) {
	allocated := func(size int) uint64 {
		s := []byte(benchAttachment(size))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Parse(bytes.NewReader(s), int64(len(s)), Options{})
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if small, large := allocated(200<<10), allocated(4<<20); large > small+512<<10 {
		t.Errorf("4 MiB attached: %d octets allocated; 200 KiB: %d", large, small)
	}
}
