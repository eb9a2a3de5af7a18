package bridge

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/verify/dns"
)

// hourZone has the senders of these tests; 192.0.2.1 is the server of all, and sick.example
// is the one whose name servers fail.
const hourZone = `
$TTL 300
good.example.          IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.good.example.   IN TXT "v=DMARC1; p=reject"
sick.example.          IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.sick.example.   IN TXT "v=DMARC1; p=reject"
list.example.          IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
include.example.       IN TXT "v=spf1 include:sick.example -all"
_dmarc.told.example.   IN TXT "v=DMARC1; p=quarantine"
told.example.          IN TXT "v=spf1 include:sick.example -all"
`

// world is a bridge that stands still until it is driven: no listener, and a folder as
// its sink.
type world struct {
	*Bridge
	t      *testing.T
	state  string
	yaml   string
	zone   *swapped
	log    *strings.Builder
	nextIP netip.Addr
}

// swapped is a resolver that can be exchanged.
type swapped struct {
	mu sync.Mutex
	r  dns.Resolver
}

func (s *swapped) set(r dns.Resolver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = r
}

func (s *swapped) get() dns.Resolver {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r
}

func (s *swapped) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return s.get().LookupTXT(ctx, name)
}

func (s *swapped) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	return s.get().LookupMX(ctx, name)
}

func (s *swapped) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	return s.get().LookupIPAddr(ctx, name)
}

func (s *swapped) LookupAddr(ctx context.Context, address string) ([]string, error) {
	return s.get().LookupAddr(ctx, address)
}

func zoneOf(t *testing.T, sick ...string) dns.Resolver {
	t.Helper()
	z, err := dns.ParseZone(hourZone)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sick {
		z.Timeout(name)
	}
	return z
}

const hourConfig = `
hostname: mx.in.example
sinks: {disk: {type: dir, path: %q}}
routes: [{recipient: "@in.example", deliver: [disk]}]
verify: {reject: {dmarc: true, spf: true}, trusted_relays: ["10.0.0.0/8"]}
limits: {disk_reserve: 0}
`

func newWorld(t *testing.T, more string) *world {
	w := &world{t: t, state: t.TempDir(), zone: &swapped{}, log: &strings.Builder{}, nextIP: netip.MustParseAddr("192.0.2.1")}
	w.yaml = fmt.Sprintf(hourConfig, w.state+"/mail") + more + fmt.Sprintf("\nstate: %q\n", w.state)
	w.zone.set(zoneOf(t, "sick.example", "_dmarc.sick.example"))
	w.start()
	return w
}

func (w *world) start() {
	w.t.Helper()
	c, problems := config.Parse("test.yaml", []byte(w.yaml), func(string) (string, bool) { return "", false })
	if c == nil {
		w.t.Fatal(problems)
	}
	var err error
	if w.Bridge, err = New(c, Options{Log: slog.New(slog.NewTextHandler(w.log, nil)), Resolver: w.zone, Version: "test"}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	if err := w.Stop(context.Background()); err != nil {
		w.t.Error(err)
	}
}

// mailOf is a message of an author.
func mailOf(author string) string {
	return "From: ann@" + author + "\r\nMessage-ID: <1@" + author + ">\r\nSubject: hello\r\n\r\nHello.\r\n"
}

// try makes a transaction and returns the reply, of each recipient where there is more
// than one.
func (w *world) try(protocol, from, rcpts, content string) string {
	w.t.Helper()
	path := func(s string) inbound.Path {
		p, err := inbound.ParsePath(s, false)
		if err != nil {
			w.t.Fatal(err)
		}
		return p
	}
	s := inbound.Session{ID: "s", RemoteIP: w.nextIP, HELO: "mail.list.example"}
	tx, err := w.Mail(context.Background(), s, inbound.Mail{ReversePath: path(from), Protocol: protocol})
	if err != nil {
		return "MAIL " + status.ReplyOf(err).String()
	}
	defer tx.Close()
	for _, r := range strings.Fields(rcpts) {
		if err := tx.Rcpt(context.Background(), path(r)); err != nil {
			return "RCPT " + status.ReplyOf(err).String()
		}
	}
	b := w.store.NewBuffer(0)
	if _, err := io.WriteString(b, content); err != nil {
		w.t.Fatal(err)
	}
	data, err := b.Freeze()
	if err != nil {
		w.t.Fatal(err)
	}
	defer data.Release()
	a := tx.Data(context.Background(), data)
	var replies []string
	for _, r := range a.Recipients {
		replies = append(replies, r.Reply().String()[:9])
	}
	if replies == nil {
		replies = []string{a.Reply().String()[:9]}
	}
	return strings.Join(replies, ", ")
}

func (w *world) expect(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func (w *world) delivered() int {
	files, _ := os.ReadDir(w.state + "/mail")
	n := 0
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".json") {
			n++
		}
	}
	return n
}

const (
	openReply  = "451 4.4.3"
	takenReply = "250 2.0.0"
)

func TestAMessageWaitsForItsVerdictAtMostAnHour(t *testing.T) {
	for name, c := range map[string]struct{ protocol, ip, from, author, more string }{
		"the author's policy":              {"ESMTP", "192.0.2.1", "ann@list.example", "sick.example", ""},
		"the sender's SPF record":          {"ESMTP", "192.0.2.1", "ann@include.example", "told.example", ""},
		"LMTP":                             {"LMTP", "192.0.2.1", "ann@list.example", "sick.example", ""},
		"behind a relay":                   {"ESMTP", "10.0.0.1", "ann@list.example", "sick.example", ""},
		"without a ledger":                 {"ESMTP", "192.0.2.1", "ann@list.example", "sick.example", "delivery: {ledger: 0}"},
		"with a ledger that forgets first": {"ESMTP", "192.0.2.1", "ann@list.example", "sick.example", "delivery: {ledger: 10m}"},
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
				w.nextIP = w.nextIP.Next()
				w.expect("from another address", try(), openReply)
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

func TestOnlyAVerdictThatMayRefuseIsWaitedFor(t *testing.T) {
	const list, lmtp = "ann@list.example", "LMTP"
	for _, c := range []struct{ name, protocol, ip, from, author, rcpt, want string }{
		{"it may", "ESMTP", "192.0.2.1", list, "sick.example", "ann", openReply},
		{"behind a relay, it may", "ESMTP", "10.0.0.1", list, "sick.example", "ann", openReply},
		{"to postmaster", "ESMTP", "192.0.2.1", list, "sick.example", "Postmaster", takenReply},
		{"it could have passed by SPF", "ESMTP", "10.0.0.1", "ann@sick.example", "sick.example", "ann", takenReply},
		{"so on LMTP", lmtp, "192.0.2.1", "ann@mail.sick.example", "sick.example", "ann", takenReply},
		{"the policy is quarantine", "ESMTP", "192.0.2.1", "ann@list.example", "told.example", "ann", takenReply},
		{"SPF of the sender may refuse", "ESMTP", "192.0.2.1", "ann@told.example", "told.example", "ann", openReply},
		{"but not behind a relay", "ESMTP", "10.0.0.1", "ann@told.example", "told.example", "ann", takenReply},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			defer w.stop()
			w.nextIP = netip.MustParseAddr(c.ip)
			w.expect(c.name, w.try(c.protocol, c.from, c.rcpt+"@in.example", mailOf(c.author)), c.want)
		})
	}
}

// dead is a resolver that never answers.
type dead struct{ dns.Resolver }

func (dead) LookupTXT(ctx context.Context, name string) ([]string, error) {
	<-ctx.Done()
	return nil, &net.DNSError{Err: "time-out", Name: name, IsTimeout: true, IsTemporary: true}
}

func (d dead) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	_, err := d.LookupTXT(ctx, name)
	return nil, err
}

func (d dead) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	_, err := d.LookupTXT(ctx, name)
	return nil, err
}

func (d dead) LookupAddr(ctx context.Context, name string) ([]string, error) {
	return d.LookupTXT(ctx, name)
}

func TestADeadResolverCostsTenSeconds(t *testing.T) {
	for reject, want := range map[string]string{
		"dmarc: false":                takenReply,
		"null_mx: true, no_ptr: true": takenReply,
		"dmarc: true":                 openReply,
		"spf: true":                   openReply,
		"dmarc: true, spf: true, null_mx: true, no_ptr: true": openReply,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "")
			w.stop()
			w.yaml = strings.Replace(w.yaml, "dmarc: true, spf: true", reject, 1)
			w.start()
			defer w.stop()
			w.zone.set(dead{})
			began := time.Now()
			w.expect(reject, w.try("ESMTP", "ann@list.example", "ann@in.example bob@in.example", mailOf("sick.example")), want)
			if took := time.Since(began); took != 10*time.Second {
				t.Errorf("%s: %v", reject, took)
			}
		})
	}
}
