package payload

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/trace"
)

// sizedEvent is an event of a message of about size octets: text alone up to 20 KiB,
// else a base64 attachment of as much as is left. The attachment's octets are given
// decoded, so that the encoder alone is measured.
func sizedEvent(size int) *sinks.Event {
	e := fullEvent(same)
	e.Message.Attachments = nil
	e.Message.HTML = ""
	for i := range 12 {
		e.Message.Header = append(e.Message.Header, message.Field{Name: fmt.Sprintf("X-Field-%d", i), Value: "some value of ordinary length; a=b"})
	}
	if size <= 20<<10 {
		e.Message.Text = strings.Repeat("A line of <plain> text, with a wörd or two.\n", size/45)
	} else {
		content := pattern(size * 57 / 78)
		e.Message.Attachments = []message.Attachment{message.Attachment{
			Filename: "a.bin", ContentType: "application/octet-stream", Disposition: "attachment",
			Size: int64(len(content)), SHA256: sha256.Sum256(content),
		}.WithContent(open(content))}
	}
	e.Data = inbound.NewMailData([]byte("Subject: Hello\r\n\r\n" + strings.Repeat("x", size-18)))
	return e
}

var sizes = []struct {
	name string
	size int
}{{"1KiB", 1 << 10}, {"20KiB", 20 << 10}, {"200KiB", 200 << 10}, {"10MiB", 10 << 20}}

// ordinary is a message of about size octets as mail is: text alone up to 1 KiB, text and
// HTML in quoted-printable up to 20 KiB, beyond that a base64 attachment.
func ordinary(size int) []byte {
	head := "Received: from mail.sender.example (mail.sender.example [192.0.2.1])\r\n\tby mx.in.example with ESMTPS id 1234; Sat, 21 Nov 2026 10:00:00 +0000\r\n" +
		"From: Ann Example <ann@sender.example>\r\nTo: =?utf-8?Q?J=C3=B6rg?= <support@in.example>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n" +
		"Date: Sat, 21 Nov 2026 10:59:58 +0100\r\nMessage-ID: <bench-1@sender.example>\r\nMIME-Version: 1.0\r\n"
	const words = "Some plain words in a line of the usual length.\r\n"
	switch {
	case size <= 1<<10:
		return []byte(head + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat(words, max(1, (size-len(head)-40)/len(words))))
	case size <= 20<<10:
		part := "--b\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
		qp := "Gr=C3=BC=C3=9Fe aus K=C3=B6ln, and a line that is broken softly beca=\r\nuse it is long.\r\n"
		html := "<p style=3D\"color:red\">Gr=C3=BC=C3=9Fe <a href=3D\"https://shop.example/=\r\n?a=3D1\">link</a></p>\r\n"
		return fmt.Appendf(nil, "%sContent-Type: multipart/alternative; boundary=b\r\n\r\n"+part+"%s"+part+"%s--b--\r\n", head,
			"plain", strings.Repeat(qp, size/5/len(qp)), "html", strings.Repeat(html, size*3/4/len(html)))
	}
	line := base64.StdEncoding.EncodeToString(pattern(57)) + "\r\n"
	return []byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n" +
		"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(line, size/len(line)) + "--b--\r\n")
}

// BenchmarkNative makes the payload of ordinary messages and reads it once, as a request
// does. Base64 is carried.
func BenchmarkNative(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) { benchNative(b, ordinaryEvent(b, s.size), Include{HTML: true}) })
	}
}

func ordinaryEvent(tb testing.TB, size int) *sinks.Event {
	e := parsedEvent(tb, ordinary(size))
	e.Results = fullResults(same)
	return e
}

// BenchmarkNativeFull has an event of which each field is filled, a bounce and a calendar
// entry too, and an attachment that isn't base64 in the message.
func BenchmarkNativeFull(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) { benchNative(b, sizedEvent(s.size), Include{HTML: true}) })
	}
}

func benchNative(b *testing.B, e *sinks.Event, inc Include) {
	buf := make([]byte, 32*1024)
	b.ReportAllocs()
	b.SetBytes(native1(b, e, inc).Size())
	before := cpuTime(b)
	for b.Loop() {
		drain(b, native1(b, e, inc), buf)
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkNativeRawInline has the whole message in the payload, too.
func BenchmarkNativeRawInline(b *testing.B) {
	benchNative(b, sizedEvent(10<<20), Include{Raw: "inline"})
}

func BenchmarkRaw(b *testing.B) {
	for _, s := range sizes {
		b.Run(s.name, func(b *testing.B) {
			e := sizedEvent(s.size)
			buf := make([]byte, 32*1024)
			b.ReportAllocs()
			b.SetBytes(e.Data.Size())
			for b.Loop() {
				body, err := Raw(e)
				if err != nil {
					b.Fatal(err)
				}
				drain(b, body, buf)
			}
		})
	}
}

// BenchmarkBase64 holds the segment against the library's encoding at once.
func BenchmarkBase64(b *testing.B) {
	content := pattern(10 << 20)
	b.Run("segment", func(b *testing.B) {
		body := bodyOf(base64Of(open(content), int64(len(content))))
		buf := make([]byte, 32*1024)
		b.SetBytes(int64(len(content)))
		b.ReportAllocs()
		for b.Loop() {
			drain(b, body, buf)
		}
	})
	b.Run("at once", func(b *testing.B) {
		dst := make([]byte, base64.StdEncoding.EncodedLen(len(content)))
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			base64.StdEncoding.Encode(dst, content)
		}
	})
}

func drain(b testing.TB, body *Body, buf []byte) {
	if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body.Open()}, buf); err != nil || n != body.Size() {
		b.Fatal(n, err)
	}
}

// allocated returns what one run of f allocates.
func allocated(f func()) (octets, objects int64) {
	var before, after runtime.MemStats
	f() // what is done once for all is done
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc), int64(after.Mallocs - before.Mallocs)
}

func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryDoesNotGrowWithTheAttachment(t *testing.T) {
	cost := func(size int) (int64, int64) {
		e := sizedEvent(size)
		buf := make([]byte, 32*1024)
		return allocated(func() {
			drain(t, native1(t, e, Include{Raw: "inline"}), buf)
			body, err := Raw(e)
			if err != nil {
				t.Fatal(err)
			}
			drain(t, body, buf)
		})
	}
	smallOctets, smallObjects := cost(200 << 10)
	largeOctets, largeObjects := cost(2 << 20)
	// Pools are emptied at any time, and under the race detector at random: what is 1.8 MiB
	// more may cost some buffers more, and no share of itself.
	if largeOctets > smallOctets+256*1024 || largeObjects > smallObjects+200 {
		t.Errorf("200 KiB cost %d octets in %d allocations, 2 MiB %d in %d", smallOctets, smallObjects, largeOctets, largeObjects)
	}
	if smallOctets > 200*1024 {
		t.Errorf("200 KiB cost %d octets", smallOctets)
	}
}

func TestALongTextIsNotHeldTwice(t *testing.T) {
	e := sizedEvent(1 << 10)
	e.Message.Text = strings.Repeat("<wörd>\n", 1<<18)
	before := liveHeap()
	body := native1(t, e, Include{})
	r := body.Open()
	if _, err := io.CopyN(io.Discard, r, body.Size()/2); err != nil {
		t.Fatal(err)
	}
	if held := liveHeap() - before; held > int64(len(e.Message.Text))/4 {
		t.Errorf("a text of %d octets is read half, %d octets are held", len(e.Message.Text), held)
	}
	if rest, err := io.Copy(io.Discard, r); err != nil || rest != body.Size()-body.Size()/2 {
		t.Errorf("the other half has %d octets (%v)", rest, err)
	}
	if got := decode(t, readAll(t, native1(t, e, Include{}))); got.Message.Text != e.Message.Text {
		t.Error("the text is another one")
	}
}

// BenchmarkTrace makes the fields and reads a header section.
func BenchmarkTrace(b *testing.B) {
	e := exampleEvent(b)
	b.ReportAllocs()
	for b.Loop() {
		m := message.Message{}
		if _, err := trace.Cut(e.Data, &m, func(string) bool { return false }); err != nil {
			b.Fatal(err)
		}
		trace.Fields(e)
	}
}
