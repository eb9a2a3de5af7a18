package message

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// structureOf is what the walker finds: the parts with their ranges, what is wrong with
// the line ends, and the defects.
func structureOf(s string, runs bool) string {
	r := strings.NewReader(s)
	w := &walker{parser: newParser(r, int64(len(s)), Options{}), lr: newLineReader(r, int64(len(s)))}
	if !runs {
		w.lr.noRun = math.MaxInt64
	}
	w.walk()
	var b strings.Builder
	var list func(p *part)
	list = func(p *part) {
		fmt.Fprintln(&b, p.num, p.media, p.start, p.end, p.closed, p.multi)
		for _, kid := range p.kids {
			list(kid)
		}
	}
	list(w.root)
	fmt.Fprintln(&b, w.lr.bareLF, w.lr.bareCR, w.lr.nul, w.lr.long, w.msg.Defects)
	return b.String()
}

// What lines of one length hide is found as if one line were read after the other.
func TestRunsOfLinesHideNothing(t *testing.T) {
	line := strings.Repeat("QUJD", 19) + "\r\n"
	boundary := strings.Repeat("b", 74) // its delimiter is as long as the line
	head := "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary + "\r\n\r\n"
	pieces := []string{
		strings.Repeat(line, 3), strings.Repeat(line, 250), strings.Repeat(line, 1000), line[:40] + "\r\n", "\r\n",
		"--" + boundary + "\r\n\r\n", "--" + boundary + "--\r\n", "--" + boundary[:74] + "\n", "--" + strings.Repeat("c", 74) + "\r\n",
		line[:30] + "\r" + line[31:], line[:30] + "\n" + line[31:], line[:30] + "\x00" + line[31:], line[:30] + "\r\n" + line[32:],
		line[:76] + "\n", line[:76] + "\r", "--" + line[2:], line[:70], strings.Repeat("x", 1200) + "\r\n",
	}
	for _, piece := range pieces {
		if s := head + strings.Repeat(line, 100) + piece + strings.Repeat(line, 100); structureOf(s, true) != structureOf(s, false) {
			t.Errorf("after 100 lines %.90q:\n%s\none after the other:\n%s", piece, structureOf(s, true), structureOf(s, false))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		s := head
		for range random.IntN(20) {
			s += pieces[random.IntN(len(pieces))]
		}
		if structureOf(s, true) != structureOf(s, false) {
			t.Fatalf("%d octets:\n%s\none after the other:\n%s", len(s), structureOf(s, true), structureOf(s, false))
		}
	}
}

// Lines that look like a run and are none are not looked at again and again.
func TestWhatIsNoRunIsSearchedOnce(t *testing.T) {
	line := strings.Repeat("QUJD", 19) + "\r\n"
	s := "From: a@b.example\r\n\r\n" + strings.Repeat(line+line[:30]+"\r"+line[31:], 8<<10)
	r := strings.NewReader(s)
	l := newLineReader(r, int64(len(s)))
	looked := 0
	for {
		next, ok := l.next()
		if !ok {
			break
		}
		if before := l.noRun; true {
			l.skipRun(next)
			if l.noRun != before {
				looked++
			}
		}
	}
	if most := len(s)/runSize*2 + 2*len(s)/blockSize + 2; looked > most {
		t.Errorf("%d searches in vain, %d may be", looked, most)
	}
	if !l.bareCR {
		t.Error("a bare CR was skipped")
	}
}
