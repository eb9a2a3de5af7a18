package payload

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestTextOfASourceIsTheTextEncodedAtOnce(t *testing.T) {
	for _, s := range append(hostile, strings.Repeat("aé\u2028\U0001F600\xff\"\\\r\n", 3000), strings.Repeat("\xf0\x9f\x98", 4000)) {
		checkTextSource(t, s)
	}
}

func FuzzTextSource(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(checkTextSource)
}

func checkTextSource(t *testing.T, s string) {
	t.Helper()
	for name, open := range map[string]func() io.Reader{
		"whole":          func() io.Reader { return strings.NewReader(s) },
		"octet by octet": func() io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
		"half":           func() io.Reader { return iotest.HalfReader(strings.NewReader(s)) },
		"data and end":   func() io.Reader { return iotest.DataErrReader(strings.NewReader(s)) },
	} {
		var j, plain JSON
		v, err := j.TextSource(Source{Open: open, Size: int64(len(s))})
		if err != nil {
			t.Fatal(err)
		}
		got, err := j.Encode([]any{v})
		if err != nil {
			t.Fatal(err)
		}
		want, err := plain.Encode([]any{s})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := string(readAll(t, got)), string(readAll(t, want)); a != b {
			t.Fatalf("%s of %q: %q, want %q", name, s, a, b)
		}
	}
}

func TestTextOfASourceThatFailsIsAnError(t *testing.T) {
	var j JSON
	if _, err := j.TextSource(Source{Open: func() io.Reader { return iotest.ErrReader(io.ErrClosedPipe) }}); err == nil {
		t.Error("no error")
	}
}
