package main

import (
	"context"
	"fmt"
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
	after = copyState(t, state)
	hangUp()
	waitFor(t, "the end of the first try", ended)
	for _, k := range c.keepers { // so that the old bridge need not be waited for
		k.CloseClientConnections()
	}
	return after
}
