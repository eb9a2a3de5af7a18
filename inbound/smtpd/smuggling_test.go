package smtpd

import (
	"encoding/hex"
	"encoding/json"
	"os"
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

// shapes are ends of data that only a lenient reader sees.
var shapes = []string{
	"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\r.\n", "\n.\r", "\n\r.\r\n", "\n\n.\r\n",
	"\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\n.\r\r\n", "\r\r\n.\r\r\n", "\r\n. \r\n", "\r\n.\t\n",
}

// checkOneMessage sends a message with an end that isn't one, cut into two segments at
// each octet of the suspicious part, and checks that no second message appears.
func checkOneMessage(t *testing.T, shape string, refused bool) {
	t.Helper()
	p, stop := startPiped(t, nil)
	defer stop()
	tail := "body" + shape + smuggled
	for cut := 4; cut <= 4+len(shape)+1; cut++ {
		before, _ := p.h.count()
		l := p.dial()
		l.send(opening, tail[:cut], tail[cut:], "QUIT\r\n")
		<-l.closed
		said := l.finish()
		after, _ := p.h.count()
		finals := strings.Count(said[strings.Index(said, "354 "):], "\r\n") - 1 // after 354: the final reply, and 221 if it wasn't 521
		if refused && (finals != 1 || !strings.Contains(said, ambiguous) || after != before) {
			t.Fatalf("%q cut at %d: %d messages, said %q", shape, cut, after-before, said)
		}
		if !refused && (finals != 2 || !strings.Contains(said, "250 2.0.0 msg_test\r\n221 ") || after != before+1) {
			t.Fatalf("%q cut at %d: %d messages, said %q", shape, cut, after-before, said)
		}
	}
}

func TestAnEndThatIsNoneIsRefusedAndNothingAfterItRuns(t *testing.T) {
	for _, shape := range shapes {
		checkOneMessage(t, shape, true)
	}
}

func TestHarmlessDotsAreText(t *testing.T) {
	for _, shape := range []string{"\r\n..\r\n", "\r\n.x\r\n", "\n.text\r\n", "\r.text\r\n", "\r\n .\r\n", "\n..\n"} {
		checkOneMessage(t, shape, false)
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
	for _, s := range all {
		shape, err := hex.DecodeString(s.Hex)
		if err != nil || len(shape) == 0 || s.EndsData {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			harmless := string(shape) == "\r\n..\r\n" || string(shape) == "\r\n.x\r\n"
			checkOneMessage(t, string(shape), !harmless)
		})
	}
}
