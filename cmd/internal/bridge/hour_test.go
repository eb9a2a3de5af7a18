package bridge

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/routing"
	"mxhook/verify/authres"
)

func TestAMessageWaitsForItsVerdictAtMostAnHour(t *testing.T) {
	for name, c := range map[string]struct{ protocol, ip, other, from, author, more string }{
		"the author's policy":              {"ESMTP", "192.0.2.1", "198.51.100.7", "ann@list.example", "sick.example", ""},
		"the sender's SPF record":          {"ESMTP", "192.0.2.1", "198.51.100.7", "ann@include.example", "told.example", ""},
		"LMTP":                             {"LMTP", "192.0.2.1", "198.51.100.7", "ann@list.example", "sick.example", ""},
		"behind a relay":                   {"ESMTP", "10.0.0.1", "10.9.0.1", "ann@list.example", "sick.example", ""},
		"without a ledger":                 {"ESMTP", "192.0.2.1", "198.51.100.7", "ann@list.example", "sick.example", "delivery: {ledger: 0}"},
		"with a ledger that forgets first": {"ESMTP", "192.0.2.1", "198.51.100.7", "ann@list.example", "sick.example", "delivery: {ledger: 10m}"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.more)
				defer w.stop()
				w.nextIP = netip.MustParseAddr(c.ip)
				content := mailOf(c.author)
				try := func() string { return w.try(c.protocol, c.from, "ann@in.example", content) }
				w.expect("at once", try(), openReply)
				time.Sleep(59 * time.Minute)
				w.expect("after 59 minutes", try(), openReply)
				w.nextIP = netip.MustParseAddr(c.other)
				w.expect("from another network", try(), openReply)
				w.expect("another message", w.try(c.protocol, c.from, "ann@in.example", content+"more\r\n"), openReply)
				w.expect("another recipient", w.try(c.protocol, c.from, "bob@in.example", content), openReply)
				if w.delivered() != 0 {
					t.Error("something was delivered")
				}
				time.Sleep(2 * time.Minute)
				w.expect("after 61 minutes", try(), takenReply)
				w.expect("another message", w.try(c.protocol, c.from, "ann@in.example", content+"more\r\n"), openReply)
				if n := w.delivered(); n != 1 {
					t.Errorf("%d deliveries", n)
				}
				if verified, dmarc := w.verdict(); verified || dmarc == "pass" {
					t.Error("what nobody could prove is proved")
				}
				if !strings.Contains(w.log.String(), "temperror for") {
					t.Errorf("the log does not say why:\n%s", w.log)
				}
			})
		})
	}
}

func TestAVerdictThatComesWithinTheHourDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		defer w.stop()
		try := func(from string) string {
			return w.try("ESMTP", from, "ann@in.example bob@in.example", mailOf("sick.example"))
		}
		w.expect("the genuine", try("ann@sick.example"), openReply)
		w.expect("the forged", try("ann@list.example"), openReply)
		time.Sleep(30 * time.Minute)
		w.zone.set(zoneOf(t)) // well again
		w.expect("the genuine", try("ann@sick.example"), takenReply)
		w.expect("the forged", try("ann@list.example"), "550 5.7.1")
		time.Sleep(2 * time.Hour)
		w.expect("the genuine again", try("ann@sick.example"), takenReply)
		w.expect("the forged, after the hour", try("ann@list.example"), "550 5.7.1")
		if n := w.delivered(); n != 1 {
			t.Errorf("%d deliveries", n)
		}
	})
}

func TestTheLedgerKnowsTheHourOverARestart(t *testing.T) {
	for more, want := range map[string]string{"": takenReply, "delivery: {ledger: 0}": openReply} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, more)
			try := func() string { return w.try("ESMTP", "ann@list.example", "ann@in.example", mailOf("sick.example")) }
			w.expect("at once", try(), openReply)
			time.Sleep(59 * time.Minute)
			w.stop()
			w.start()
			w.expect("after 59 minutes", try(), openReply)
			w.stop()
			time.Sleep(2 * time.Minute)
			w.start()
			w.expect("after 61 minutes, "+more, try(), want)
			time.Sleep(58 * time.Minute)
			if want == openReply {
				w.expect("58 minutes later", try(), openReply)
				time.Sleep(2 * time.Minute)
			}
			w.expect("the next hour", try(), takenReply)
			w.stop()
		})
	}
}

func TestAMessageWithoutAMessageIDWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		defer w.stop()
		content := strings.Replace(mailOf("sick.example"), "Message-ID:", "X-Number:", 1)
		try := func(trace string) string { return w.try("ESMTP", "ann@list.example", "ann@in.example", trace+content) }
		w.expect("at once", try(""), openReply)
		time.Sleep(59 * time.Minute)
		w.expect("after 59 minutes", try("Received: from a by b; Mon, 1 Jan 2001 00:00:00 +0000\r\n"), openReply)
		time.Sleep(2 * time.Minute)
		w.expect("after 61 minutes", try("Received: from a by c; Mon, 1 Jan 2001 00:00:00 +0000\r\n"), takenReply)
	})
}

// One reply is of the recipient who waits the longest; LMTP has a reply for each.
func TestEachRecipientHasItsOwnHour(t *testing.T) {
	for protocol, want := range map[string][3]string{
		"ESMTP": {openReply, openReply, takenReply},
		"LMTP":  {"451 4.4.3, 250 2.0.0", "250 2.0.0, 451 4.4.3, 250 2.0.0", "250 2.0.0, 250 2.0.0, 250 2.0.0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "")
			defer w.stop()
			try := func(rcpts string) string { return w.try(protocol, "ann@list.example", rcpts, mailOf("sick.example")) }
			w.expect("ann and postmaster", try("ann@in.example postmaster@in.example"), want[0])
			time.Sleep(61 * time.Minute)
			w.expect("and bob", try("ann@in.example bob@in.example postmaster@in.example"), want[1])
			time.Sleep(61 * time.Minute)
			w.expect("an hour later", try("ann@in.example bob@in.example postmaster@in.example"), want[2])
		})
	}
}

// A route's condition waits for its verdict as a refusal does.
func TestAConditionWaitsForItsVerdictAtMostAnHour(t *testing.T) {
	passes := []routing.Rule{
		{Name: "proved", Recipient: []string{"ann@in.example"}, When: &routing.When{DMARC: []authres.Result{authres.Pass}}, Deliver: []string{"disk"}},
		{Name: "others", Recipient: []string{"bob@in.example"}, Deliver: []string{"disk"}},
	}
	fallback := append(slices.Clone(passes), routing.Rule{Name: "doubtful", Recipient: []string{"ann@in.example"}, Deliver: []string{"disk"}})
	for name, c := range map[string]struct {
		rules          []routing.Rule
		protocol, rcpt string
		waits, decided string
	}{
		"nothing else takes it": {passes, "ESMTP", "ann@in.example", openReply, "550 5.7.1"},
		"another route does":    {fallback, "ESMTP", "ann@in.example", openReply, takenReply},
		"with others":           {passes, "ESMTP", "ann@in.example bob@in.example", openReply, takenReply},
		"on LMTP":               {passes, "LMTP", "ann@in.example bob@in.example", openReply + ", " + takenReply, "550 5.7.1, " + takenReply},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "")
				w.stop()
				w.yaml = strings.Replace(w.yaml, "reject: {dmarc: true, spf: true}, ", "", 1)
				w.rules = c.rules
				w.start()
				defer w.stop()
				try := func() string { return w.try(c.protocol, "ann@list.example", c.rcpt, mailOf("sick.example")) }
				w.expect("at once", try(), c.waits)
				time.Sleep(59 * time.Minute)
				w.expect("after 59 minutes", try(), c.waits)
				w.stop()
				time.Sleep(2 * time.Minute)
				w.start()
				w.expect("after 61 minutes and a restart", try(), c.decided)
			})
		})
	}
}
