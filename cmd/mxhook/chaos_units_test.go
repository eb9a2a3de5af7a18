package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mxhook/cmd/internal/config"
)

// shape is how three units come about.
type shape struct {
	name  string
	rcpts [3]string // the recipient of each unit
	lmtp  bool      // each recipient hears its own reply
	yaml  string
}

const threeRoutes = `
routes:
  - {recipient: "x0@in.example", deliver: [s0]}
  - {recipient: "x1@in.example", deliver: [s1]}
  - {recipient: "@in.example", deliver: [s2]}
`

var shapes = []shape{
	{name: "three sinks", rcpts: [3]string{"x@in.example", "x@in.example", "x@in.example"},
		yaml: `routes: [{recipient: "@in.example", deliver: [s0, s1, s2]}]` + "\n"},
	{name: "three recipients by LMTP", rcpts: [3]string{"x0@in.example", "x1@in.example", "x2@in.example"}, yaml: threeRoutes, lmtp: true},
	{name: "three recipients", rcpts: [3]string{"x0@in.example", "x1@in.example", "x2@in.example"}, yaml: threeRoutes},
}

// TestEveryCombinationOfThreeUnits delivers one message with three units, of which each
// is accepted, deferred, refused, not answered, or accepted just before the bridge is
// stopped dead; and sends it again until the sender is rid of it.
func TestEveryCombinationOfThreeUnits(t *testing.T) {
	moods := []mood{takes, busy, fends, hangs, kills}
	for _, sh := range shapes {
		if sh.name == "three recipients" && !thorough() {
			continue
		}
		for n := range 125 {
			c := combination{shape: sh, moods: [3]mood{moods[n/25], moods[n/5%5], moods[n%5]}}
			t.Run(fmt.Sprintf("%s: %s, %s, %s", sh.name, c.moods[0], c.moods[1], c.moods[2]), func(t *testing.T) {
				t.Parallel()
				c.run(t)
			})
		}
	}
}

type combination struct {
	shape
	moods   [3]mood
	keepers [3]*keeper
}

func (c *combination) run(t *testing.T) {
	for i := range c.keepers {
		c.keepers[i] = startKeeper(t)
		c.keepers[i].be(always(c.moods[i]))
	}
	state := t.TempDir()
	b := startBridgeIn(t, state, c.config("150ms"))
	l := newLetter("units", slices.Compact(slices.Clone(c.rcpts[:]))...)
	l.lmtp = c.lmtp
	crashed := slices.Contains(c.moods[:], kills)
	var first attempt
	if crashed {
		state = c.crash(t, b, state, l)
		c.calm()
		b = startBridgeIn(t, state, c.config("20s"))
	} else {
		var err error
		if first, err = l.try(t.Context(), b.smtp, nil); err != nil {
			t.Fatal(err)
		}
		c.checkFirst(t, first)
		c.calm()
		c.reload(t, b, state)
	}
	if c.lmtp {
		c.resendEach(t, b, l, first)
		c.check(t, state, false)
		return
	}
	if first.refused() {
		c.check(t, state, false)
		return
	}
	for range 2 { // and once more, though it was heard
		a, err := l.try(t.Context(), b.smtp, nil)
		if err != nil || !strings.HasPrefix(a.reply, "250 ") {
			t.Fatalf("the resend: %q, %v", a.reply, err)
		}
	}
	c.check(t, state, true)
}

// checkFirst wants the replies of CONTRACT 4 and 5 to the first try.
func (c *combination) checkFirst(t *testing.T, a attempt) {
	t.Helper()
	if !c.lmtp {
		if want := c.firstReply(); !strings.HasPrefix(a.reply, want) {
			t.Errorf("reply %q, want %q", a.reply, want)
		}
		return
	}
	for i, m := range c.moods {
		want := map[mood]string{takes: "250 2.0.0 OK msg_", busy: "451 4.4.5 ", hangs: "451 4.4.1 ", fends: "550 5.7.1 "}[m]
		if !strings.HasPrefix(a.each[i], want) {
			t.Errorf("%s: reply %q, want %q", c.rcpts[i], a.each[i], want)
		}
	}
}

// resendEach sends again to those whom the first try left without an answer for good.
func (c *combination) resendEach(t *testing.T, b *running, l *letter, first attempt) {
	t.Helper()
	l.pending = nil
	for i, rcpt := range c.rcpts {
		if first.each == nil || strings.HasPrefix(first.each[i], "4") {
			l.pending = append(l.pending, rcpt)
		}
	}
	if l.pending == nil {
		return
	}
	a, err := l.try(t.Context(), b.smtp, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, rcpt := range a.asked {
		want := "250 "
		if c.moods[slices.Index(c.rcpts[:], rcpt)] == fends {
			want = "550 5.7.1 "
		}
		if !strings.HasPrefix(a.each[i], want) {
			t.Errorf("%s: the resend: %q, want %q", rcpt, a.each[i], want)
		}
	}
}

// config has a time for each sink's answer.
func (c *combination) config(timeout string) string {
	yaml := "hostname: mx.in.example\ndelivery: {ledger: 1h, budget: 30s}\nsinks:\n"
	for i, k := range c.keepers {
		each := "20s"
		if c.moods[i] == hangs {
			each = timeout
		}
		yaml += fmt.Sprintf("  s%d: {type: webhook, url: %q, attempts: 1, timeout: %s}\n", i, k.URL, each)
	}
	if c.lmtp {
		yaml += "listeners: [{address: \"127.0.0.1:0\", kind: lmtp}]\n"
	} else {
		yaml += "listeners: [{address: \"127.0.0.1:0\", tls: {mode: none}}]\n"
	}
	return yaml + c.yaml
}

func (c *combination) reload(t *testing.T, b *running, state string) {
	t.Helper()
	text := c.config("20s") + fmt.Sprintf("state: %q\n", state)
	parsed, problems := config.Parse("test.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if parsed == nil {
		t.Fatal(problems)
	}
	if err := b.Reload(parsed); err != nil {
		t.Fatal(err)
	}
}

// firstReply is what CONTRACT 4 and 5 say for the first try.
func (c *combination) firstReply() string {
	words := map[mood]string{busy: "451 4.4.5 ", hangs: "451 4.4.1 "}
	var temporary []string
	accepted := false
	for _, m := range c.moods {
		if reply := words[m]; reply != "" {
			temporary = append(temporary, reply)
		}
		accepted = accepted || m == takes
	}
	switch {
	case len(temporary) == 3 && len(slices.Compact(temporary)) == 1:
		return temporary[0]
	case len(temporary) > 0:
		return "451 4.3.0 "
	case accepted:
		return "250 2.0.0 OK msg_"
	}
	return "550 5.7.1 "
}

// calm makes every sink accept that does not refuse for good.
func (c *combination) calm() {
	for i, m := range c.moods {
		if m != fends {
			c.keepers[i].be(nil)
		}
	}
}

// crash stops the bridge dead when the units that crash it are accepted, and the others
// have their outcome, but for those without an answer. It returns the state folder as
// it was then; what the old bridge does after that, nobody sees.
func (c *combination) crash(t *testing.T, b *running, state string, l *letter) (after string) {
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if a, err := l.try(ctx, b.smtp, nil); err == nil || len(a.each) > 0 {
			t.Errorf("a bridge that crashed answered %q", a.reply)
		}
	}()
	for i, m := range c.moods {
		switch m {
		case kills:
			c.keepers[i].await(t, "the acceptance before the crash", func() bool { return len(c.keepers[i].of("units", c.rcpts[i])) > 0 })
		case hangs:
			c.keepers[i].await(t, "the request without an answer", func() bool { return c.keepers[i].count(hangs) > 0 })
		case takes, busy, fends:
			b.awaitAny(t, "delivered", "deferred", "refused")
		}
	}
	after = t.TempDir()
	if err := os.CopyFS(after, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	hangUp()
	waitFor(t, "the end of the first try", ended)
	for _, k := range c.keepers { // so that the old bridge need not be waited for
		k.CloseClientConnections()
	}
	return after
}

// check counts what the sinks kept, and the dead events, which are those whose refusal
// the sender was not told.
func (c *combination) check(t *testing.T, state string, taken bool) {
	t.Helper()
	dead := 0
	for i, m := range c.moods {
		got, want := c.keepers[i].of("units", c.rcpts[i]), 1
		switch {
		case m == fends && taken:
			dead++
			want = 0
		case m == fends:
			want = 0
		case m == kills:
			want = 2
		}
		if len(got) != want {
			t.Errorf("unit %d (%s) was kept %d times, want %d", i, m, len(got), want)
		}
		if len(got) == 2 && got[0].id != got[1].id {
			t.Errorf("unit %d was repeated with another id", i)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(state, "dead", "*.eml")); len(files) != dead {
		t.Errorf("%d dead events, want %d: %q", len(files), dead, files)
	}
}
