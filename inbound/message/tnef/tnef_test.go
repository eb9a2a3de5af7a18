package tnef

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	nt "mxhook/inbound/message/tnef/tneftest"
)

func read(t testing.TB, stream []byte, lim Limits) (*Message, error) {
	t.Helper()
	m, err := Read(bytes.NewReader(stream), plain, lim)
	if m != nil {
		check(t, stream, m)
	}
	return m, err
}

// check fails the test if a file is not the range that it says.
func check(t testing.TB, stream []byte, m *Message) {
	t.Helper()
	for _, f := range m.Files {
		if f.Message != nil {
			check(t, stream, f.Message)
			continue
		}
		if f.Start < 0 || f.Size < 0 || f.Start+f.Size > int64(len(stream)) || sha256.Sum256(stream[f.Start:f.Start+f.Size]) != f.SHA256 {
			t.Fatalf("%+v of %d octets", f, len(stream))
		}
	}
}

func TestStreamIsRead(t *testing.T) {
	inner := nt.Stream(nt.Properties(nt.Unicode(0x37, "Inner"), nt.Unicode(0x1000, "inner text")), nt.File("IN.TXT", []byte("abc")))
	stream := nt.Stream(
		nt.CodePage(1251),
		nt.Attribute(1, 0x00018004, []byte("\xcf\xf0\xe8\xe2\xe5\xf2\x00")),
		nt.Properties(nt.Number(0x3fde, 20866), nt.Property(0x1013, 0x102, []byte("<p>\xf0\xd2\xc9\xd7\xc5\xd4")), nt.RTF(`{\rtf1 x}`)),
		nt.File("LONGNA~1.PDF", []byte("%PDF"), nt.Unicode(0x3707, "a long näme.pdf"), nt.Number(0x3714, 4), nt.Unicode(0x3712, "<c@x>")),
		nt.File("Untitled", nil, nt.Unicode(0x3001, "Shown"), nt.Embedded(inner)),
		nt.File("x.bin", []byte("12"), nt.Property(0x3701, 0x0d, []byte("0123456789abcdefOLE"))),
	)
	m, err := read(t, stream, Limits{})
	if err != nil || m.Limited || m.Subject != "Привет" || m.HTML != "<p>Привет" || m.Text != "" || string(m.RTF) != `{\rtf1 x}` {
		t.Fatalf("%+v, %v", m, err)
	}
	if len(m.Files) != 3 {
		t.Fatalf("%+v", m.Files)
	}
	a, e, o := m.Files[0], m.Files[1], m.Files[2]
	if a.Name != "a long näme.pdf" || a.ContentType != "application/pdf" || a.ContentID != "c@x" || !a.Inline || a.Size != 4 {
		t.Errorf("%+v", a)
	}
	if e.Name != "Inner" || e.Message == nil || e.Message.Text != "inner text" || len(e.Message.Files) != 1 || e.Message.Files[0].ContentType != "text/plain" {
		t.Errorf("%+v %+v", e, e.Message)
	}
	if string(stream[o.Start:o.Start+o.Size]) != "OLE" {
		t.Errorf("%+v", o)
	}
	again, err := Read(iotest.OneByteReader(bytes.NewReader(stream)), plain, Limits{})
	if err != nil || fmt.Sprintf("%+v", again.Files[0]) != fmt.Sprintf("%+v", a) {
		t.Errorf("read by single octets: %+v, %v", again, err)
	}
}

// A stream cut anywhere gives what was whole before, and the error.
func TestCutStreamGivesWhatIsWhole(t *testing.T) {
	stream := nt.Stream(nt.CodePage(1252), nt.File("a", []byte("first")), nt.File("b", []byte("second"), nt.Number(0x3714, 0)))
	clean := 0
	for n := range stream {
		m, err := read(t, stream[:n], Limits{})
		if n < 4 {
			if !errors.Is(err, ErrFormat) || m != nil {
				t.Fatalf("cut at %d: %+v, %v", n, m, err)
			}
			continue
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if err == nil {
			clean++
		}
	}
	// The end of an attribute is as good an end of the stream as any.
	if want := 1 + 1 + 3 + 4; clean > want {
		t.Errorf("%d cuts were not noticed, %d are between attributes", clean, want)
	}
	for i := range stream { // and any octet may be another
		for _, c := range []byte{0, 1, 0x7f, 0xff} {
			broken := bytes.Clone(stream)
			broken[i] = c
			read(t, broken, Limits{})
		}
	}
	broken := errors.New("broken")
	m, err := Read(iotest.DataErrReader(&failing{bytes.NewReader(stream[:40]), broken}), plain, Limits{})
	if m == nil || !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %+v, %v", m, err)
	}
}

type failing struct {
	*bytes.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	if f.Len() == 0 {
		return 0, f.err
	}
	return f.Reader.Read(b)
}

func TestLimitsHold(t *testing.T) {
	files := nt.Stream(bytes.Repeat(nt.File("a", []byte("x")), 20))
	if m, err := read(t, files, Limits{Files: 5}); err != nil || len(m.Files) != 5 || !m.Limited {
		t.Errorf("files: %d, %v", len(m.Files), err)
	}
	nested := nt.Stream(nt.Properties(nt.Unicode(0x1000, "deepest")))
	for range 20 {
		nested = nt.Stream(nt.File("m", nil, nt.Embedded(nested)))
	}
	m, err := read(t, nested, Limits{Depth: 4})
	if err != nil || !m.Limited {
		t.Errorf("depth: %+v, %v", m, err)
	}
	depth := 0
	for inner := m; len(inner.Files) > 0 && inner.Files[0].Message != nil; inner = inner.Files[0].Message {
		depth++
	}
	if depth != 4 {
		t.Errorf("%d deep", depth)
	}
	long := nt.Stream(nt.Properties(nt.Property(0x1000, 0x1e, bytes.Repeat([]byte("x"), 1000))))
	if m, err := read(t, long, Limits{Body: 100}); err != nil || len(m.Text) != 100 || !m.Limited {
		t.Errorf("body: %d octets, %v", len(m.Text), err)
	}
	if m, err := read(t, nt.Stream(nt.Properties(nt.RTF(`{\rtf1 `+strings.Repeat("y", 1000)))), Limits{Body: 1100}); err != nil || len(m.RTF) > 1100 || !m.Limited {
		t.Errorf("RTF: %d octets, %v", len(m.RTF), err)
	}
}

// bombs cost other readers far more than their size.
var bombs = map[string]func() []byte{
	"a file that claims 4 GiB": func() []byte {
		b := nt.Attribute(2, 0x6800f, nil)
		copy(b[5:], "\xff\xff\xff\xff")
		return nt.Stream(b)
	},
	"4 billion properties": func() []byte { return nt.Stream(nt.Attribute(1, 0x69003, []byte("\xff\xff\xff\xff"))) },
	"200000 properties": func() []byte {
		return nt.Stream(nt.Properties(slices.Repeat([][]byte{nt.Number(1, 2)}, 200000)...))
	},
	"200000 names of one file": func() []byte {
		return nt.Stream(nt.File("a", nil, slices.Repeat([][]byte{nt.Unicode(0x3707, "x")}, 200000)...))
	},
	"4 billion values": func() []byte {
		return nt.Stream(nt.Attribute(1, 0x69003, []byte("\x01\x00\x00\x00\x02\x10\x01\x00\xff\xff\xff\xff")))
	},
	"300000 files": func() []byte { return nt.Stream(bytes.Repeat(nt.Attribute(2, 0x69002, nil), 300000)) },
	"10000 embedded messages without a signature": func() []byte {
		b := []byte{}
		for range 10000 {
			b = append(b, nt.File("m", nil, nt.Embedded(nil))...)
		}
		return nt.Stream(b)
	},
	"a thousand embedded messages with bodies": func() []byte {
		return nt.Stream(bytes.Repeat(nt.File("m", nil, nt.Embedded(nt.Stream(nt.Properties(nt.RTF(`{\rtf1 `+strings.Repeat(`\u1?`, 1000)))))), 1000))
	},
	"RTF of 9 times its size": func() []byte {
		head := "\xff\xff\xff\xff\xff\xff\xff\x7fLZFu\x00\x00\x00\x00"
		return nt.Stream(nt.Properties(nt.Property(0x1009, 0x102, append([]byte(head), strings.Repeat("\xff"+strings.Repeat("\x00\x0f", 8), 100000)...))))
	},
	"a million open groups": func() []byte { return nt.Stream(nt.Properties(nt.RTF(strings.Repeat("{", 1<<20)))) },
	"a million fonts": func() []byte {
		return nt.Stream(nt.Properties(nt.RTF(`{\fonttbl` + strings.Repeat(`\f1\fcharset204`, 70000))))
	},
	"code pages in turn": func() []byte {
		return nt.Stream(nt.Properties(nt.RTF(`{{\fonttbl{\f1\fcharset204 A;}}` + strings.Repeat(`\f1\'e0\f0\'e0`, 70000))))
	},
}

// Each is read with memory in proportion to its size.
func TestBombsAreDisarmed(t *testing.T) {
	for name, make := range bombs {
		t.Run(name, func(t *testing.T) {
			b := make()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			read(t, b, Limits{})
			runtime.ReadMemStats(&after)
			got := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d octets, %d allocated", len(b), got)
			if got > uint64(max(16<<20, 50*len(b))) {
				t.Errorf("%d octets allocated for %d", got, len(b))
			}
		})
	}
}

// FuzzRead: whatever the octets, files are ranges of the stream and what is
// allocated is in proportion.
func FuzzRead(f *testing.F) {
	f.Add(nt.Stream(nt.CodePage(1251), nt.Properties(nt.Unicode(0x37, "s"), nt.RTF(`{\rtf1\ansicpg1251 a\'e0\u1040?}`)), nt.File("a.txt", []byte("abc"), nt.Number(0x3714, 4))))
	f.Add(nt.Stream(nt.File("m", nil, nt.Embedded(nt.Stream(nt.Properties(nt.Unicode(0x1000, "x")))))))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := read(t, b, Limits{})
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20+uint64(200*len(b)) {
			t.Fatalf("%d octets allocated for %d", got, len(b))
		}
		if (m == nil) != errors.Is(err, ErrFormat) {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}
