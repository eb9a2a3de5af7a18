package smtpd

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	opening   = "EHLO a.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n"
	smuggled  = "MAIL FROM:<evil@b.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\nevil\r\n.\r\n"
	ambiguous = "521 5.5.2 ambiguous end of data"
)

// sequence is a line of testdata/smuggling.txt.
type sequence struct{ kind, shape string }

func sequences(t *testing.T) (all []sequence) {
	t.Helper()
	b, err := os.ReadFile("testdata/smuggling.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if kind, shape, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && kind != "#" {
			all = append(all, sequence{kind, unescape(shape)})
		}
	}
	if len(all) < 35 {
		t.Fatalf("%d sequences", len(all))
	}
	return all
}

// unstuffed is the message that a text sequence makes, with what follows it up to the
// true end.
func unstuffed(shape string) string {
	return strings.ReplaceAll("\r\nbody"+shape+strings.TrimSuffix(smuggled, ".\r\n"), "\r\n.", "\r\n")[2:]
}

// judge checks what was said and delivered after "body", the sequence, a second
// message and QUIT: one message at most, nothing of the second one run, every octet
// kept. A true end alone lets the second message be one.
func (s sequence) judge(t *testing.T, how, said string, delivered []string) {
	t.Helper()
	_, finals, _ := strings.Cut(said, "354 ")
	_, finals, _ = strings.Cut(finals, "\r\n")
	var want string
	var messages []string
	switch s.kind {
	case "ambiguous":
		want = ambiguous
		if strings.Count(finals, "\r\n") != 1 {
			t.Errorf("%q %s: said %q after it", s.shape, how, finals)
		}
	case "text":
		want, messages = "250 2.0.0 msg_test\r\n221 ", []string{unstuffed(s.shape)}
	case "end":
		want = "250 2.0.0 msg_test\r\n250 2.1.0 sender OK\r\n250 2.1.5 recipient OK\r\n354 "
		messages = []string{"body" + strings.TrimSuffix(s.shape, ".\r\n"), "evil\r\n"}
	}
	if !strings.HasPrefix(finals, want) || !slices.Equal(delivered, messages) {
		t.Errorf("%q (%s) %s: said %q, delivered %q, want %q", s.shape, s.kind, how, finals, delivered, messages)
	}
}

// octets splits a string that isn't UTF-8, too.
func octets(data string) (all []string) {
	for i := range len(data) {
		all = append(all, data[i:i+1])
	}
	return all
}

func (s sequence) try(t *testing.T, p *piped) {
	t.Helper()
	data := "body" + s.shape + smuggled
	var ways [][]string
	for i := 4; i <= 5+len(s.shape); i++ {
		ways = append(ways, []string{data[:i], data[i:]})
	}
	for i, way := range append(ways, octets(data), []string{data}) {
		p.h.mu.Lock()
		p.h.messages = nil
		p.h.mu.Unlock()
		l := p.dial()
		l.send(append(append([]string{opening}, way...), "QUIT\r\n")...)
		<-l.closed
		said := l.finish()
		p.h.mu.Lock()
		s.judge(t, fmt.Sprintf("way %d", i), said, p.h.messages)
		p.h.mu.Unlock()
	}
}

func TestNoSequenceSmugglesAMessage(t *testing.T) {
	p, stop := startPiped(t, nil)
	defer stop()
	for _, s := range sequences(t) {
		s.try(t, p)
	}
}

// In a chunk octets are counted, and no sequence means anything.
func TestAChunkIsNeverScanned(t *testing.T) {
	p, stop := startPiped(t, nil)
	defer stop()
	for _, s := range sequences(t) {
		body := "body" + s.shape + smuggled
		chunks := fmt.Sprintf("BDAT %d\r\n%sBDAT %d LAST\r\n%s", 5, body[:5], len(body)-5, body[5:])
		for _, way := range [][]string{{chunks}, octets(chunks)} {
			p.h.mu.Lock()
			p.h.messages = nil
			p.h.mu.Unlock()
			l := p.dial()
			l.send(append(append([]string{strings.TrimSuffix(opening, "DATA\r\n")}, way...), "QUIT\r\n")...)
			<-l.closed
			said := l.finish()
			if !strings.Contains(said, "250 2.0.0 chunk received\r\n250 2.0.0 msg_test\r\n221 ") || len(p.h.messages) != 1 || p.h.messages[0] != body {
				t.Errorf("%q: said %q, delivered %q", s.shape, said, p.h.messages)
			}
		}
	}
}

// The same over real sockets, in clear and over TLS, where the last reply of a session
// that is cut off must get through.
func TestNoSequenceSmugglesAMessageOverTCP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		r := start(t, nil)
		for _, s := range sequences(t) {
			c := r.dial().hello()
			if secure {
				c.startTLS()
			}
			r.h.mu.Lock()
			r.h.messages = nil
			r.h.mu.Unlock()
			c.send(strings.TrimPrefix(opening, "EHLO a.test\r\n") + "body" + s.shape + smuggled + "QUIT\r\n")
			said, err := io.ReadAll(c.r)
			if err != nil {
				t.Errorf("%q: %v", s.shape, err)
			}
			r.h.mu.Lock()
			s.judge(t, fmt.Sprintf("over TCP, TLS %v", secure), string(said), r.h.messages)
			r.h.mu.Unlock()
			c.nc.Close()
		}
	}
}

func TestAnAmbiguousMessageWithoutTrueEndIsAnsweredToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, nil)
		l, began := p.dial(), time.Now()
		l.send(opening + "body\n.\r\nMAIL FROM:<evil@b.test>\r\n")
		<-l.closed
		if said := l.finish(); !strings.Contains(said, ambiguous) || time.Since(began) > ambiguousPause {
			t.Errorf("said %q after %v", said, time.Since(began))
		}
		if n, _ := p.h.count(); n != 0 {
			t.Errorf("%d messages", n)
		}
		stop()
	})
}

func TestTheTrueEndIsFoundAtEachCut(t *testing.T) {
	p, stop := startPiped(t, nil)
	defer stop()
	for _, end := range []string{"\r\n.\r\n", "\r\r\n.\r\n"} {
		text := "Subject: x\r\n\r\n..body" + end + "QUIT\r\n"
		for cut := range text {
			l := p.dial()
			l.send(opening, text[:cut], text[cut:])
			<-l.closed
			if said := l.finish(); !strings.HasSuffix(said, "250 2.0.0 msg_test\r\n221 2.0.0 closing the connection\r\n") {
				t.Fatalf("%q cut at %d: %q", end, cut, said)
			}
			if got, want := p.h.messages[len(p.h.messages)-1], "Subject: x\r\n\r\n.body"+strings.TrimSuffix(end, ".\r\n"); got != want {
				t.Fatalf("%q cut at %d: message %q", end, cut, got)
			}
		}
	}
}

// TestSmugglingCorpus runs the published sequences, where they are at hand.
func TestSmugglingCorpus(t *testing.T) {
	b, err := os.ReadFile("../../../shared/corpora/smtp-smuggling/sequences.json")
	if err != nil {
		t.Skip("the corpus is not here:", err)
	}
	var all []struct {
		Name, Hex string
		EndsData  bool `json:"ends_data"`
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	p, stop := startPiped(t, nil)
	defer stop()
	for _, c := range all {
		shape, err := hex.DecodeString(c.Hex)
		if err != nil || len(shape) == 0 {
			continue
		}
		s := sequence{"ambiguous", string(shape)}
		switch {
		case c.EndsData:
			s.kind = "end"
		case s.shape == "\r\n..\r\n" || s.shape == "\r\n.x\r\n":
			s.kind = "text"
		}
		t.Run(c.Name, func(t *testing.T) { s.try(t, p) })
	}
}
