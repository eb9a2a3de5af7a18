package message

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// attack is a message that shall cost no more than a figure.
type attack struct {
	name  string
	make  func() string
	cpu   time.Duration // at most, of the process
	times float64       // octets allocated at most, in sizes of the message; 0 if the general bound is all
	check func(t *testing.T, m *Message)
}

// every is the bound on what any message makes Parse allocate: 64 MiB, or fifty times
// its size if that is less. What is smaller than a block counts as one.
func every(size int) float64 { return min(64<<20, 50*max(float64(size), blockSize)) }

func just(s string) func() string { return func() string { return s } }

func nested(levels int, media string) func() string {
	return func() string {
		if media == "message/rfc822" {
			return "From: a@b.example\r\n" + strings.Repeat("Content-Type: message/rfc822\r\n\r\n", levels)
		}
		var b strings.Builder
		for i := range levels {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\r\n\r\n--b%d\r\n", i, i)
		}
		return b.String() + "\r\n\r\ntext\r\n"
	}
}

func emptyParts(n int) func() string {
	return just("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", n) + "--b--\r\n")
}

func subject(s string) func() string { return just("From: a@b.example\r\nSubject: " + s + "\r\n\r\n") }
func to(s string) func() string      { return just("From: a@b.example\r\nTo: " + s + "\r\n\r\n") }
func disposition(s string) func() string {
	return just("From: a@b.example\r\nContent-Disposition: attachment" + s + "\r\n\r\n")
}

func encoded(encoding, body string) func() string {
	return just("From: a@b.example\r\nContent-Type: application/x-a\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n" + body)
}

func textIn(name, unit string) func() string {
	return just("From: a@b.example\r\nContent-Type: text/plain; charset=" + name + "\r\n\r\n" + strings.Repeat(unit, 2<<20/len(unit)))
}

func segments() string {
	var b strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&b, ";\r\n name*%d=a", i)
	}
	return b.String()
}

func has(defect string) func(*testing.T, *Message) {
	return func(t *testing.T, m *Message) {
		if !hasDefect(m, defect) {
			t.Errorf("no %s in %+v", defect, m.Defects)
		}
	}
}

func filename(want string) func(*testing.T, *Message) {
	return func(t *testing.T, m *Message) {
		if len(m.Attachments) != 1 || m.Attachments[0].Filename != want {
			t.Errorf("%+v; the name should be %q", m.Attachments, want)
		}
	}
}

// archive is a gzip stream that would be a thousand times as long.
func archive() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(make([]byte, 32<<20))
	w.Close()
	return b.Bytes()
}

func unopened(t *testing.T, m *Message) {
	if len(m.Attachments) != 1 {
		t.Fatalf("%+v", m.Attachments)
	}
	if got, err := io.ReadAll(m.Attachments[0].Open()); err != nil || !bytes.Equal(got, archive()) {
		t.Errorf("%d octets (%v) of %d", len(got), err, len(archive()))
	}
}

// attacks are the classes of hostile messages that parsers have died of, each with what
// it may cost. bombs has more of them, with one bound for all.
func attacks() []attack {
	const ms = time.Millisecond
	list := []attack{
		{"1000 empty parts", emptyParts(1000), 100 * ms, 0, nil},
		{"100000 empty parts", emptyParts(100000), 100 * ms, 0, has(DefectPartsLimit)},
		{"1000000 empty parts", emptyParts(1000000), 100 * ms, 0, has(DefectPartsLimit)},
		{"100000 fields", just(strings.Repeat("X: y\r\n", 100000) + "\r\n"), 200 * ms, 0, has(DefectHeaderLimit)},
		{"1000000 fields", just(strings.Repeat("X: y\r\n", 1000000) + "\r\n"), 200 * ms, 0, has(DefectHeaderLimit)},
		{"a folded field of 10 MB", subject("a" + strings.Repeat("\r\n folded", 1250000)), 200 * ms, 0, has(DefectFieldLimit)},
		{"10000 Received", just(strings.Repeat("Received: from a.example by b.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n", 10000) + "\r\n"), 200 * ms, 0, has(DefectHeaderLimit)},
		{"100000 RFC 2231 segments", disposition(segments()), 50 * ms, 0, has(DefectParamLimit)},
		{"RFC 2231 with a gap", disposition("; filename*0=a; filename*2=c.txt"), 50 * ms, 0, filename("ac.txt")},
		{"RFC 2231 twice the same", disposition("; filename*0=a.txt; filename*0=b.txt"), 50 * ms, 0, filename("a.txt")},
		{"RFC 2231 that changes its charset", disposition("; filename*0*=utf-8''%C3; filename*1*=iso-8859-1''%BC"), 50 * ms, 0, nil},
		{"60000 encoded words", subject(strings.Repeat("=?utf-8?q?a?=\r\n ", 60000)), 100 * ms, 0, has(DefectWordLimit)},
		{"100000 open encoded words", subject(strings.Repeat("=?utf-8?q?", 100000)), 100 * ms, 0, has(DefectFieldLimit)},
		{"an encoded word of an unknown charset", subject("=?x-unknown?q?a?="), 100 * ms, 0, has(DefectEncodedWord)},
		{"encoded words within each other", subject(strings.Repeat("=?utf-8?q?", 5000) + strings.Repeat("?=", 5000)), 100 * ms, 0, nil},
		{"line ends in an encoded word", subject("=?utf-8?q?a=0D=0ABcc:_x=40y.example?="), 100 * ms, 0, func(t *testing.T, m *Message) {
			if len(m.Bcc) > 0 || strings.ContainsAny(m.Subject, "\r\n") {
				t.Errorf("%q, %+v", m.Subject, m.Bcc)
			}
		}},
		{"200000 addresses", to(strings.Repeat("a@b.example,\r\n ", 200000)), 500 * ms, 0, has(DefectAddressLimit)},
		{"200000 opening brackets", to(strings.Repeat("(", 200000) + "a@b.example"), 500 * ms, 0, has(DefectFieldLimit)},
		{"500000 atoms", to(strings.Repeat("a ", 500000) + "<a@b.example>"), 500 * ms, 0, has(DefectFieldLimit)},
		{"a domain literal of 1 MB", to("a@[" + strings.Repeat("1", 1<<20) + "]"), 500 * ms, 0, has(DefectFieldLimit)},
		{"5 MiB of no base64", encoded("base64", strings.Repeat("*\x80!\r\n", 1<<20)), 1000 * ms, 3, has(DefectBase64)},
		{"5 MiB of soft line breaks", encoded("quoted-printable", strings.Repeat("=\r\n", 5<<20/3)), 1000 * ms, 3, nil},
		{"5 MiB of uuencode that lies about lengths", encoded("x-uuencode", "begin 644 a\r\n"+strings.Repeat("M\r\n#\r\n", 5<<20/6)), 1000 * ms, 3, has(DefectUU)},
		{"zip that says it is large", encoded("base64", base64.StdEncoding.EncodeToString(archive())), 200 * ms, 0, unopened},
		{"a line of 10 MiB", just("From: a@b.example\r\n\r\n" + strings.Repeat("x", 10<<20)), 2000 * ms, 2, has(DefectLongLine)},
		{"5 MiB of NUL", encoded("binary", strings.Repeat("\x00", 5<<20)), 1000 * ms, 2, has(DefectNUL)},
		{"5 MiB of NUL as text", just("From: a@b.example\r\n\r\n" + strings.Repeat("\x00", 5<<20)), 1000 * ms, 0, has(DefectNUL)},
		{"200 text parts without a charset", just("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
			strings.Repeat("--b\r\n\r\n"+strings.Repeat("Gr\xfc\xdfe \xe4 \xf6 aus K\xf6ln am Rhein, wie geht es\r\n", 100)+"\r\n", 200)), 200 * ms, 0, has(DefectCharsetGuessed)},
	}
	for _, levels := range []int{50, 100, 5000} {
		check := has(DefectDepthLimit)
		if levels == 50 {
			check = nil
		}
		list = append(list,
			attack{fmt.Sprint(levels, " multiparts within each other"), nested(levels, "multipart/mixed"), 50 * ms, 0, check},
			attack{fmt.Sprint(levels, " messages within each other"), nested(levels, "message/rfc822"), 50 * ms, 0, nil})
	}
	for name, unit := range map[string]string{
		"iso-2022-jp": "\x1b$B\x1b(B", "utf-7": "+AGE-", "gb18030": "\x81\x30\x81", "utf-16": "\x00a\xd8\x00", "euc-jp": "\xa4", "shift_jis": "\x81", "big5": "\xa4\x40\xa4", "utf-8": "\xf0\x9f\x98", "x-unknown": "\xff",
	} {
		list = append(list, attack{"2 MiB of " + name, textIn(name, unit), 400 * ms, 0, nil})
	}
	for name, want := range map[string]string{
		"../../x": "../../x", `..\\x`: `..\x`, "C:x": "C:x", "a\x00b": "a\ufffdb", "\u202egpj.exe": "\u202egpj.exe", "con": "con", ".htaccess": ".htaccess", "%2e%2e/x": "%2e%2e/x",
		strings.Repeat("a", 4<<10) + ".txt": strings.Repeat("a", 251) + ".txt",
	} {
		list = append(list, attack{fmt.Sprintf("the file name %.20q", name), disposition(`; filename="` + name + `"`), 50 * ms, 0, filename(want)})
	}
	return append(list, attack{"a line end in a file name", disposition("; filename*=utf-8''a%0D%0Ab"), 50 * ms, 0, func(t *testing.T, m *Message) {
		if len(m.Attachments) != 1 || strings.ContainsAny(m.Attachments[0].Filename, "\r\n") {
			t.Errorf("%+v", m.Attachments)
		}
	}})
}

// cost returns what one Parse uses: the lowest of some runs, for the machine is busy and
// the collector runs when it likes. It stops at one of less than enough.
func cost(t *testing.T, s string, enough time.Duration) (m *Message, used time.Duration, allocated uint64) {
	var before, after runtime.MemStats
	runs := 5
	if raceDetector {
		runs = 1
	}
	for i := range runs {
		runtime.ReadMemStats(&before)
		began := cpuTime(t)
		m = Parse(strings.NewReader(s), int64(len(s)), Options{})
		u := cpuTime(t) - began
		runtime.ReadMemStats(&after)
		if a := after.TotalAlloc - before.TotalAlloc; i == 0 || a < allocated {
			allocated = a
		}
		if i == 0 || u < used {
			used = u
		}
		if used < enough {
			break
		}
	}
	return m, used, allocated
}

// Each attack stays within its own figure, of time and memory. The race detector makes
// time meaningless. A machine may be twice as slow as ours, where it is busy.
func TestEachAttackStaysWithinItsFigure(t *testing.T) {
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			s := a.make()
			if raceDetector && len(s) > 256<<10 {
				t.Skip("too long for the race detector")
			}
			m, used, allocated := cost(t, s, a.cpu)
			t.Logf("%9d octets: %8d µs of %d ms; %9d octets allocated, %.1f times", len(s), used.Microseconds(), a.cpu.Milliseconds(), allocated, float64(allocated)/float64(len(s)))
			if used > 2*a.cpu && !raceDetector {
				t.Errorf("%v of CPU, its figure is %v", used, a.cpu)
			}
			if float64(allocated) > every(len(s)) || a.times > 0 && float64(allocated) > a.times*float64(len(s)) {
				t.Errorf("%d octets allocated for %d", allocated, len(s))
			}
			checkInvariants(t, m, int64(len(s)))
			if a.check != nil {
				a.check(t, m)
			}
		})
	}
}
