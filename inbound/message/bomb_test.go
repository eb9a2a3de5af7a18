package message

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	nt "mxhook/inbound/message/tnef/tneftest"
)

const (
	statusHead   = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
	noticeHead   = "From: MAILER-DAEMON@b.example\r\nSubject: failure notice\r\n\r\n"
	calendarHead = "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n"
)

// bombs are messages that cost other parsers far more than their size.
var bombs = []struct {
	name   string
	make   func() string
	defect string // that must be listed
}{
	{"multiparts nested 5000 deep", func() string {
		var b strings.Builder
		for i := range 5000 {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\r\n\r\n--b%d\r\n", i, i)
		}
		return b.String()
	}, DefectDepthLimit},
	{"messages nested 5000 deep", func() string {
		return "From: a@b.example\r\n" + strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 5000)
	}, ""},
	{"a million empty parts", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", 1000000)
	}, DefectPartsLimit},
	{"300000 parts without a blank line", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nx\r\n", 300000)
	}, DefectPartsLimit},
	{"lines that may be boundaries", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + strings.Repeat("--bb\r\n", 300000)
	}, DefectUnclosed},
	{"a million fields", func() string { return strings.Repeat("X: y\r\n", 1000000) + "\r\n" }, DefectHeaderLimit},
	{"ten thousand Received", func() string {
		return strings.Repeat("Received: from a.example by b.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n", 10000) + "\r\n"
	}, DefectHeaderLimit},
	{"a folded field of 10 MB", func() string { return "Subject: a\r\n" + strings.Repeat(" folded\r\n", 1100000) + "\r\n" }, DefectFieldLimit},
	{"lines that are no fields", func() string { return "From: a@b.example\r\n" + strings.Repeat("x\r\nY: z\r\n", 150000) }, DefectHeader},
	{"100000 RFC 2231 segments", func() string {
		var b strings.Builder
		b.WriteString("Content-Disposition: attachment")
		for i := range 100000 {
			fmt.Fprintf(&b, ";\r\n filename*%d*=%%41", i)
		}
		return b.String() + "\r\n\r\n"
	}, DefectParamLimit},
	{"60000 encoded words", func() string {
		return "Subject: " + strings.Repeat("=?utf-8?q?a?=\r\n ", 60000) + "\r\n\r\n"
	}, DefectWordLimit},
	{"100000 open encoded words", func() string {
		return "Subject: " + strings.Repeat("=?utf-8?q?", 100000) + "\r\n\r\n"
	}, DefectFieldLimit},
	{"open encoded words in an address field", func() string {
		return "From: " + strings.Repeat("=?utf-8?q?", 10000) + "\r\n\r\n"
	}, DefectAddress},
	{"200000 addresses", func() string { return "To: " + strings.Repeat("a@b.example,\r\n ", 200000) + "\r\n\r\n" }, DefectAddressLimit},
	{"90000 opening brackets", func() string { return "To: " + strings.Repeat("(", 90000) + "a@b.example\r\n\r\n" }, DefectAddress},
	{"90000 angle brackets", func() string { return "To: " + strings.Repeat("<", 90000) + "a@b.example\r\n\r\n" }, DefectAddress},
	{"90000 quotes", func() string { return "To: " + strings.Repeat("\"", 90001) + "a@b.example\r\n\r\n" }, DefectAddress},
	{"40000 atoms", func() string { return "To: " + strings.Repeat("a ", 40000) + "<a@b.example>\r\n\r\n" }, ""},
	{"a domain literal of 90 KB", func() string { return "To: a@[" + strings.Repeat("1", 90000) + "\r\n\r\n" }, ""},
	{"blanks before an at sign", func() string { return "To: " + strings.Repeat("a"+strings.Repeat(" ", 40), 2000) + "\r\n\r\n" }, ""},
	{"5 MB of base64 garbage", func() string {
		return "Content-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("*A\r\n!", 1<<20)
	}, DefectBase64},
	{"500000 atoms over many fields", func() string {
		return strings.Repeat("To: "+strings.Repeat("a ", 20000)+"<a@b.example>\r\n", 25) + "\r\n"
	}, DefectHeaderLimit},
	{"a thousand winmail.dat of small files", func() string {
		s := wrapped(nt.Stream(bytes.Repeat(nt.File("a", nil), 20)))
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"+s+"\r\n", 999)
	}, DefectTNEFLimit},
	{"a winmail.dat of 17 times its size in RTF", func() string {
		head := "\xff\xff\xff\xff\xff\xff\xff\x7fLZFu\x00\x00\x00\x00"
		return winmail(nt.Stream(nt.Properties(nt.Property(0x1009, 0x102, append([]byte(head), strings.Repeat("\xff"+strings.Repeat("\x00\x0f", 8), 1<<18)...)))), "base64")
	}, DefectTNEFLimit},
	{"a winmail.dat of 500000 properties", func() string {
		return winmail(nt.Stream(nt.Properties(slices.Repeat([][]byte{nt.Number(1, 2)}, 500000)...)), "base64")
	}, ""},
	{"flowed text of a million lines", func() string {
		return "From: a@b.example\r\nContent-Type: text/plain; format=flowed\r\n\r\n" + strings.Repeat("> \r\n", 1000000)
	}, ""},
	{"a zip bomb", func() string {
		return "Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("UEsDBBQAAAAIAAAAAAAAAAAAAAAAAAAAAAD/////////fwEA\r\n", 20000)
	}, ""},
	{"5 MB of padding", func() string {
		return "Content-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("=", 5<<20)
	}, DefectBase64},
	{"5 MB of soft line breaks", func() string {
		return "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("=\r\n", 5<<20/3)
	}, ""},
	{"5 MB of blanks in quoted-printable", func() string {
		return "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat(" ", 5<<20)
	}, DefectLongLine},
	{"2 MB of escape sequences in ISO-2022-JP", func() string {
		return "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + strings.Repeat("\x1b$B\x1b(B", 350000)
	}, ""},
	{"2 MB of UTF-7", func() string {
		return "Content-Type: text/plain; charset=utf-7\r\n\r\n" + strings.Repeat("+AGE-", 400000)
	}, ""},
	{"2 MB of truncated GB18030", func() string {
		return "Content-Type: text/plain; charset=gb18030\r\n\r\n" + strings.Repeat("\x81\x30\x81", 700000)
	}, DefectCharsetWrong},
	{"2 MB of open HTML", func() string {
		return "Content-Type: text/html\r\n\r\n" + strings.Repeat("<table><blockquote><a href=http://a.example>", 50000)
	}, DefectHTMLLimit},
	{"HTML attributes without end", func() string {
		return "Content-Type: text/html\r\n\r\n<a " + strings.Repeat("b=c ", 60000)
	}, ""},
	{"a line of 10 MB", func() string { return "From: a@b.example\r\n\r\n" + strings.Repeat("x", 10<<20) }, DefectLongLine},
	{"5 MB of NUL", func() string { return "From: a@b.example\r\n\r\n" + strings.Repeat("\x00", 5<<20) }, DefectNUL},
	{"3000 text parts", func() string {
		part := "--b\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat("0123456789\r\n", 140)
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat(part, 3000)
	}, DefectPartsLimit},
	{"25 MB of text", func() string { return "From: a@b.example\r\n\r\n" + strings.Repeat("0123456789\r\n", 25<<20/12) }, DefectTextLimit},
	{"5 MB of delivery status", func() string {
		return statusHead + strings.Repeat("Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\n\r\n", 80000)
	}, DefectReportLimit},
	{"a delivery status of one field with 100000 folds", func() string {
		return statusHead + "Diagnostic-Code: smtp; 550" + strings.Repeat("\r\n x", 100000)
	}, DefectReportLimit},
	{"60000 recipients in a notice for people", func() string {
		return noticeHead + strings.Repeat("<a@b.example>: 550 no\r\n<b@b.example>: 550 no\r\n", 30000)
	}, ""},
	{"a notice of hosts and codes", func() string {
		return noticeHead + "<a@b.example>:\r\n" + strings.Repeat("host 550 5.1.1.1.1 host:", 40000)
	}, DefectLongLine},
	{"bounces that return bounces, 5000 deep", func() string {
		return strings.Repeat("From: MAILER-DAEMON@b.example\r\nSubject: failure notice\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n", 5000)
	}, ""},
	{"a feedback report of 100000 domains", func() string {
		return "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" +
			strings.Repeat("Reported-Domain: b.example\r\n", 100000)
	}, DefectReportLimit},
	{"20 calendars of 1 MB", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: text/calendar\r\n\r\n"+strings.Repeat("SUMMARY:\\n\r\n", 80000), 20)
	}, DefectCalendarLimit},
	{"100000 calendar entries", func() string { return calendarHead + strings.Repeat("BEGIN:VEVENT\r\nEND:VEVENT\r\n", 100000) }, DefectCalendarLimit},
	{"100000 components within each other", func() string { return calendarHead + strings.Repeat("BEGIN:VEVENT\r\n", 100000) }, DefectCalendar},
	{"a calendar line of 100000 parameters", func() string {
		return calendarHead + "BEGIN:VEVENT\r\nATTENDEE" + strings.Repeat(";X=^^", 100000) + ":a\r\n"
	}, DefectReportLimit},
	{"a calendar line of 100000 folds", func() string { return calendarHead + "BEGIN:VEVENT\r\nSUMMARY:" + strings.Repeat("\r\n x", 100000) }, DefectReportLimit},
	{"9000 time zones", func() string {
		var b strings.Builder
		for i := range 9000 {
			fmt.Fprintf(&b, "BEGIN:VEVENT\r\nDTSTART;TZID=A/%d:20261201T100000\r\nEND:VEVENT\r\n", i)
		}
		return calendarHead + b.String()
	}, DefectCalendarLimit},
	{"12 MB of PGP armor", func() string { return "From: a@b.example\r\n\r\n" + strings.Repeat("-----BEGIN PGP ", 500000) }, DefectLongLine},
	{"a thousand kinds of defect", func() string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
			strings.Repeat("--b\r\nContent-Type: /\r\nContent-Transfer-Encoding: base64\r\n\r\n*\r\n", 900)
	}, DefectLimit},
}

// Each bomb is disarmed: the limit is told, what it makes Parse allocate stays
// under a few times its size, or 16 MiB if that is more (text is held, converted
// and returned, hence the factor), and its bytes are read a few times at most: to
// find the structure, where a part of a header section may be read again, and to
// decode.
func TestBombsAreDisarmed(t *testing.T) {
	for i, bomb := range bombs {
		if raceDetector && i%9 != 0 {
			continue // without it all are tried
		}
		t.Run(bomb.name, func(t *testing.T) {
			s := bomb.make()
			r := &countingReader{Reader: strings.NewReader(s)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := cpuTime(t)
			m := Parse(r, int64(len(s)), Options{})
			used := cpuTime(t) - began
			runtime.ReadMemStats(&after)
			got, allowed := after.TotalAlloc-before.TotalAlloc, uint64(max(16<<20, 6*len(s)))
			if got > allowed {
				t.Errorf("%d octets allocated for %d", got, len(s))
			}
			t.Logf("%d octets: %d allocated, %v of CPU", len(s), got, used)
			if used > 5*time.Second { // ten times what the slowest may have, for the race detector and busy machines
				t.Errorf("%v of CPU", used)
			}
			if r.n > 4*int64(len(s))+1<<20 {
				t.Errorf("%d octets read of %d", r.n, len(s))
			}
			checkInvariants(t, m, int64(len(s)))
			if len(m.Defects) > 100+20 { // those of the message itself are listed beyond
				t.Errorf("%d defects", len(m.Defects))
			}
			if bomb.defect != "" && !hasDefect(m, bomb.defect) {
				t.Errorf("no %s in %+v", bomb.defect, m.Defects)
			}
		})
	}
}

func hasDefect(m *Message, code string) bool {
	for _, d := range m.Defects {
		if d.Code == code {
			return true
		}
	}
	return false
}

// countingReader counts what is read, which bounds the passes over a message.
type countingReader struct {
	*strings.Reader
	n int64
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}
