package bridge

import (
	"context"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/verify/authres"
	"mxhook/verify/spf"
)

// provide takes a message from a provider and returns the reply.
func (w *world) provide(p inbound.Provider, ip, from, content string) string {
	w.t.Helper()
	path, err := inbound.ParsePath(from, false)
	if err != nil {
		w.t.Fatal(err)
	}
	s := inbound.Session{ID: "s", HELO: "mail.list.example"}
	if ip != "" {
		s.RemoteIP = netip.MustParseAddr(ip)
	}
	tx, err := w.Mail(context.Background(), s, inbound.Mail{ReversePath: path, Protocol: "SMTP", Provider: &p})
	if err != nil {
		return status.ReplyOf(err).String()[:9]
	}
	defer tx.Close()
	if err := tx.Rcpt(context.Background(), inbound.Path{LocalPart: "bob", Domain: "in.example"}); err != nil {
		return "RCPT " + status.ReplyOf(err).String()[:9]
	}
	b := w.store.NewBuffer(0)
	io.WriteString(b, content)
	data, err := b.Freeze()
	if err != nil {
		w.t.Fatal(err)
	}
	defer data.Release()
	return tx.Data(context.Background(), data).Reply().String()
}

func TestTheStrongerWordOfTheEnvelopeCounts(t *testing.T) {
	for _, c := range []struct {
		ours    authres.Result
		verdict inbound.Verdict
		domain  string
		want    authres.Result
	}{
		{authres.Pass, inbound.VerdictPass, "Good.example", authres.Pass},
		{authres.None, inbound.VerdictPass, "Good.example", authres.Pass},
		{authres.TempError, inbound.VerdictPass, "Good.example", authres.Pass},
		{authres.None, inbound.VerdictPass, "", authres.None},
		{authres.None, inbound.VerdictPass, "no domain", authres.None},
		{authres.Pass, inbound.VerdictFail, "good.example", authres.Fail},
		{authres.None, inbound.VerdictFail, "good.example", authres.Fail},
		{authres.Pass, inbound.VerdictGray, "good.example", authres.Neutral},
		{authres.SoftFail, inbound.VerdictGray, "good.example", authres.SoftFail},
		{authres.Pass, inbound.VerdictFailed, "good.example", authres.Pass},
		{authres.Pass, "", "good.example", authres.Pass},
		{authres.Fail, "", "good.example", authres.Fail},
	} {
		e := joinSPF(spf.Evaluation{Result: c.ours, Domain: "good.example", Mechanism: "ip4"}, c.verdict, c.domain)
		if e.Result != c.want || e.Domain != "good.example" {
			t.Errorf("ours %s, the provider's %q for %q: %+v", c.ours, c.verdict, c.domain, e)
		}
	}
}

func TestAProvidersMessageIsVerifiedByWhatTheProviderHasSeen(t *testing.T) {
	for rule, c := range map[string]struct {
		ip       string
		verdict  inbound.Verdict
		from     string
		verified bool
	}{
		"its pass counts without an address":         {"", inbound.VerdictPass, "ann@good.example", true},
		"an address that passes":                     {"192.0.2.1", "", "ann@good.example", true},
		"an address that passes, but it says fail":   {"192.0.2.1", inbound.VerdictFail, "ann@good.example", false},
		"an address that passes, but it says gray":   {"192.0.2.1", inbound.VerdictGray, "ann@good.example", false},
		"no address, no verdict":                     {"", "", "ann@good.example", false},
		"its pass of another domain than the author": {"", inbound.VerdictPass, "eve@list.example", false},
		"its pass of nobody knows what":              {"", inbound.VerdictPass, "", false},
		"its pass although our answer is no":         {"203.0.113.9", inbound.VerdictPass, "ann@good.example", true},
	} {
		t.Run(rule, func(t *testing.T) {
			w := newWorld(t, "\ndelivery: {ledger: 0}")
			w.yaml = strings.Replace(w.yaml, "verify: {reject: {dmarc: true, spf: true}, ", "verify: {", 1)
			w.stop()
			w.start()
			defer w.stop()
			p := inbound.Provider{Name: "ses", MessageID: "o3vr", SPF: c.verdict}
			if got := w.provide(p, c.ip, c.from, mailOf("good.example")); !strings.HasPrefix(got, takenReply) {
				t.Fatal(got)
			}
			if verified, dmarc := w.verdict(); verified != c.verified || (dmarc == "pass") != c.verified {
				t.Errorf("from_verified %v, dmarc %s", verified, dmarc)
			}
		})
	}
}

func TestAProvidersRetryIsTheSameMessage(t *testing.T) {
	w := newWorld(t, "\ndelivery: {ledger: 0}")
	defer w.stop()
	p := inbound.Provider{Name: "ses", MessageID: "o3vr", SPF: inbound.VerdictPass}
	anonymous := strings.Replace(mailOf("good.example"), "Message-ID", "X-Other", 1)
	first := w.provide(p, "192.0.2.1", "ann@good.example", anonymous)
	w.zone.set(zoneOf(t, "good.example", "_dmarc.good.example")) // what vouches for it can't be learned now
	p.SPF = ""
	w.yaml = strings.Replace(w.yaml, "dmarc: true, spf: true", "dmarc: false, spf: false", 1)
	w.stop()
	w.start()
	if again := w.provide(p, "192.0.2.1", "ann@good.example", anonymous); again != first || !strings.HasPrefix(first, takenReply) {
		t.Errorf("first %q, then %q", first, again)
	}
	p.MessageID = "other"
	if other := w.provide(p, "192.0.2.1", "ann@good.example", anonymous); other == first {
		t.Errorf("another message of the provider has the id of the first: %q", other)
	}
}

func TestAProvidersMessageWaitsForItsVerdictAtMostAnHourInAll(t *testing.T) {
	w := newWorld(t, "\ndelivery: {ledger: 0}")
	defer w.stop()
	p := inbound.Provider{Name: "ses", MessageID: "o3vr", ReceivedAt: time.Now().Add(-59 * time.Minute)}
	if got := w.provide(p, "", "ann@good.example", mailOf("sick.example")); !strings.HasPrefix(got, openReply) {
		t.Errorf("within the hour: %s", got)
	}
	p.ReceivedAt = time.Now().Add(-61 * time.Minute)
	if got := w.provide(p, "", "ann@good.example", mailOf("sick.example")); !strings.HasPrefix(got, takenReply) {
		t.Errorf("after the hour: %s", got)
	}
}
