package sinks_test

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/sinks"
)

var base = sinks.Identity{
	ReversePath: "ann@sender.example", MessageID: "<1@sender.example>", Date: "Sat, 21 Nov 2026 10:00:00 +0000",
	From: "Ann <ann@sender.example>", Subject: "Hello", BodySHA256: sha256.Sum256([]byte("body")),
	Fingerprint: []string{"dkim sender.example", "spf sender.example"},
}

func TestEveryPartOfTheIdentityCounts(t *testing.T) {
	seen := map[[32]byte]string{base.Sum(): "the message"}
	for name, change := range map[string]func(*sinks.Identity){
		"reverse-path":                  func(id *sinks.Identity) { id.ReversePath = "" },
		"Message-ID":                    func(id *sinks.Identity) { id.MessageID = "<2@sender.example>" },
		"Date":                          func(id *sinks.Identity) { id.Date = "" },
		"From":                          func(id *sinks.Identity) { id.From = "Eve <eve@sender.example>" },
		"Subject":                       func(id *sinks.Identity) { id.Subject = "hello" },
		"body":                          func(id *sinks.Identity) { id.BodySHA256[31]++ },
		"nothing passes":                func(id *sinks.Identity) { id.Fingerprint = []string{"net 192.0.2.0/24"} },
		"one fingerprint less":          func(id *sinks.Identity) { id.Fingerprint = id.Fingerprint[:1] },
		"no fingerprint":                func(id *sinks.Identity) { id.Fingerprint = nil },
		"an empty fingerprint":          func(id *sinks.Identity) { id.Fingerprint = []string{"", "x"} },
		"transaction":                   func(id *sinks.Identity) { id.Transaction = "t1" },
		"text that moved to the next":   func(id *sinks.Identity) { id.From, id.Subject = id.From+"H", "ello" },
		"text that moved from the next": func(id *sinks.Identity) { id.From, id.Subject = id.From[:len(id.From)-1], ">"+id.Subject },
	} {
		id := base
		change(&id)
		if other, twice := seen[id.Sum()]; twice {
			t.Errorf("%s: the same identity as %s", name, other)
		}
		seen[id.Sum()] = name
	}
}

func TestFingerprintsAreASet(t *testing.T) {
	id := base
	id.Fingerprint = []string{"spf sender.example", "dkim sender.example", "spf sender.example"}
	if id.Sum() != base.Sum() {
		t.Error("order or repeats of the fingerprint count")
	}
	if id.Fingerprint[0] != "spf sender.example" {
		t.Error("the caller's list was sorted")
	}
}

// TestIDsAreForEver holds the id of one message: a change of the format would make
// every resend in flight a new event.
func TestIDsAreForEver(t *testing.T) {
	const want = "msg_s4yxnf2bt4lffzyijvt6n5544z"
	if got := sinks.EventID(base.Sum(), "tickets", to("ann@in.example", "bob@in.example")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func to(addresses ...string) (all []sinks.Recipient) {
	for _, a := range addresses {
		local, domain, _ := strings.Cut(a, "@")
		all = append(all, sinks.Recipient{Path: inbound.Path{LocalPart: local, Domain: domain}})
	}
	return all
}

func TestEventID(t *testing.T) {
	id := base.Sum()
	first := sinks.EventID(id, "tickets", to("ann@in.example", "bob@in.example"))
	if !regexp.MustCompile(`^msg_[a-z2-7]{26}$`).MatchString(first) {
		t.Errorf("id %q", first)
	}
	withCaptures := to("ann@in.example", "bob@in.example")
	withCaptures[0].Captures = map[string]string{"a": "b"}
	for name, same := range map[string][]sinks.Recipient{
		"in another order":   to("bob@in.example", "ann@in.example"),
		"in another case":    to("BOB@in.example", "ann@IN.EXAMPLE"),
		"named twice":        to("ann@in.example", "bob@in.example", "Ann@in.example"),
		"with captures":      withCaptures,
		"the very same list": to("ann@in.example", "bob@in.example"),
	} {
		if got := sinks.EventID(id, "tickets", same); got != first {
			t.Errorf("the same recipients %s have another id", name)
		}
	}
	changed := base
	changed.Subject = "other"
	for name, other := range map[string]string{
		"recipients fewer":     sinks.EventID(id, "tickets", to("ann@in.example")),
		"recipients more":      sinks.EventID(id, "tickets", to("ann@in.example", "bob@in.example", "eve@in.example")),
		"recipients joined":    sinks.EventID(id, "tickets", to("ann@in.examplebob@in.example")),
		"route":                sinks.EventID(id, "archive", to("ann@in.example", "bob@in.example")),
		"route and recipients": sinks.EventID(id, "ticketsann", to("@in.example", "bob@in.example")),
		"message":              sinks.EventID(changed.Sum(), "tickets", to("ann@in.example", "bob@in.example")),
	} {
		if other == first {
			t.Errorf("other %s, the same id", name)
		}
	}
}
