package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// pattern returns n octets without a short period.
func pattern(n int) []byte {
	p := make([]byte, n)
	x := uint32(2463534242)
	for i := range p {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		p[i] = byte(x)
	}
	return p
}

func open(p []byte) func() io.Reader { return func() io.Reader { return bytes.NewReader(p) } }

// bodyOf is a Body of one stream between two runs of bytes.
func bodyOf(s segment) *Body {
	b := &Body{contentType: "application/json"}
	b.addBytes([]byte(`{"a":"`))
	b.addStream(s)
	b.addBytes([]byte(`"}`))
	return b
}

func TestBase64IsTheStandardsWhateverTheSizeAndTheReads(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 57, 1000, scratchSize - 1, scratchSize, scratchSize + 1, 100001} {
		p := pattern(n)
		want := `{"a":"` + base64.StdEncoding.EncodeToString(p) + `"}`
		b := bodyOf(base64Of(open(p), int64(n)))
		if b.Size() != int64(len(want)) {
			t.Fatalf("%d octets: Size is %d, want %d", n, b.Size(), len(want))
		}
		for _, step := range []int{1, 2, 3, 4, 5, 7, 1000, 32 * 1024, 1 << 20} {
			if step < 100 && n > 1000 {
				continue
			}
			var got bytes.Buffer
			if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{b.Open()}, make([]byte, step)); err != nil {
				t.Fatalf("%d octets read by %d: %v", n, step, err)
			}
			if got.String() != want {
				t.Fatalf("%d octets read by %d: another text", n, step)
			}
		}
	}
}

func TestASourceThatGivesLittleAtATimeIsReadWhole(t *testing.T) {
	p := pattern(5000)
	slow := func() io.Reader { return iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(p))) }
	got, err := io.ReadAll(bodyOf(base64Of(slow, 5000)).Open())
	if want := `{"a":"` + base64.StdEncoding.EncodeToString(p) + `"}`; err != nil || string(got) != want {
		t.Fatalf("%d octets, %v", len(got), err)
	}
}

func TestASourceThatBreaksItsPromiseIsAnError(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		name    string
		segment segment
		want    error // nil: any
	}{
		{"base64, source ends early", base64Of(open(pattern(4999)), 5000), io.ErrUnexpectedEOF},
		{"base64, source ends early by an octet that padding would hide", base64Of(open(pattern(1)), 2), io.ErrUnexpectedEOF},
		{"base64, source is empty", base64Of(open(nil), 3), io.ErrUnexpectedEOF},
		{"base64, source fails", base64Of(func() io.Reader {
			return io.MultiReader(bytes.NewReader(pattern(100)), iotest.ErrReader(broken))
		}, 5000), broken},
		{"base64, source fails at its end", base64Of(func() io.Reader {
			return io.MultiReader(bytes.NewReader(pattern(3)), iotest.ErrReader(broken))
		}, 3), broken},
		{"base64, source goes on", base64Of(open(pattern(5001)), 5000), nil},
		{"base64, source goes on by an octet that padding would hide", base64Of(open(pattern(2)), 1), nil},
		{"base64, source should be empty", base64Of(open(pattern(1)), 0), nil},
		{"plain, source ends early", segment{open: func(*scratch) io.Reader { return strings.NewReader("abc") }, size: 4}, io.ErrUnexpectedEOF},
		{"plain, source goes on", segment{open: func(*scratch) io.Reader { return strings.NewReader("abc") }, size: 2}, nil},
	} {
		for _, step := range []int{1, 3, 4096} {
			r := bodyOf(c.segment).Open()
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, step))
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s, read by %d: error %v, want %v", c.name, step, err, c.want)
			}
			if _, again := r.Read(make([]byte, 10)); again == nil || again == io.EOF {
				t.Errorf("%s, read by %d: the next Read says %v", c.name, step, again)
			}
		}
	}
}

func TestReadAfterCloseFails(t *testing.T) {
	r := bodyOf(base64Of(open(pattern(10)), 10)).Open()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF {
		t.Fatalf("Read gave %d octets and %v", n, err)
	}
}

func TestReadersOfOneBodyAreIndependent(t *testing.T) {
	p := pattern(200_000)
	b := bodyOf(base64Of(open(p), int64(len(p))))
	want := `{"a":"` + base64.StdEncoding.EncodeToString(p) + `"}`
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got, err := io.ReadAll(b.Open()); err != nil || string(got) != want {
				t.Errorf("%d octets, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}

func TestStreamedTextIsTheTextEncodedAtOnce(t *testing.T) {
	long := func(s string) string { return strings.Repeat(s, 3*textPiece/len(s)+1) }
	for _, s := range []string{
		"", "a", "\x00", `"`, "<>&", long("a"), long("ä"), long("a€"), long("\U0001F600"), "a" + long("\U0001F600"),
		"ab" + long("\U0001F600"), "abc" + long("\U0001F600"), long("\u2028\uFFFE\uFFFF\uFFFD"), long("\xff"), long("\x80"),
		"x" + long("\xf0\x90\x80\x80"+"\x80\x80\x80"), long("\xed\xa0\x80"), long("\xc3"), long("\r\n\t\\\""), long("\xf0\x9f"),
	} {
		checkText(t, s)
	}
}

func FuzzStreamedText(f *testing.F) {
	f.Add("a\xf0\x9f\x98\x80\xff", uint16(4000))
	f.Add("\uFFFE\u2028\x80\x80\x80\x80", uint16(4095))
	f.Fuzz(func(t *testing.T, s string, pad uint16) {
		checkText(t, strings.Repeat("x", int(pad))+s+s)
	})
}

// checkText holds a streamed text against the same text encoded with the small parts.
func checkText(t *testing.T, s string) {
	t.Helper()
	var whole JSON
	want, err := whole.Encode(struct{ A string }{s})
	if err != nil {
		t.Fatal(err)
	}
	w, _ := io.ReadAll(want.Open())
	var g []byte
	for _, text := range []segment{textOf(s), streamedText(s)} {
		var d JSON
		got, err := d.Encode(struct{ A any }{d.stream(text)})
		if err != nil {
			t.Fatal(err)
		}
		g, err = io.ReadAll(got.Open())
		if err != nil || !bytes.Equal(g, w) || got.Size() != int64(len(w)) {
			t.Fatalf("%.40q: %v, size %d, want %d\n%.200q\n%.200q", s, err, got.Size(), len(w), g, w)
		}
	}
	var back struct{ A string }
	if err := json.Unmarshal(g, &back); err != nil || back.A != strings.ToValidUTF8(expandInvalid(s), "") {
		t.Fatalf("%.40q: %v, read back %.40q", s, err, back.A)
	}
}

// expandInvalid puts U+FFFD for each octet that is no UTF-8.
func expandInvalid(s string) string {
	var b strings.Builder
	for _, r := range s { // ranging yields U+FFFD for each such octet
		b.WriteRune(r)
	}
	return b.String()
}

func TestAMarkInTheMailIsOnlyText(t *testing.T) {
	var d JSON
	m := map[string]any{"a" + streamMark: "[" + streamMark + `"",0]`, "b": []string{"", "0]"}, "c[": []string{streamMark}}
	m["z"] = d.stream(textOf(streamMark))
	b, err := d.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(b.Open())
	if err != nil {
		t.Fatal(err)
	}
	m["z"] = streamMark
	want, _ := json.Marshal(m)
	if string(p) != string(want) {
		t.Fatalf("got %s\nwant %s", p, want)
	}
}
