package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mxhook/cmd/internal/config"
	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/routing"
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
list.example.          IN TXT "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 -all"
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
	rules  []routing.Rule // instead of the file's, unless nil
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
	if w.rules != nil {
		c.Routes = w.rules
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

// verdict reads what was delivered.
func (w *world) verdict() (fromVerified bool, dmarc string) {
	w.t.Helper()
	files, err := filepath.Glob(w.state + "/mail/*.json")
	if err != nil || len(files) == 0 {
		w.t.Fatal("nothing was delivered", err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		w.t.Fatal(err)
	}
	var p struct {
		Authentication struct {
			FromVerified bool `json:"from_verified"`
			DMARC        struct{ Result string }
		}
	}
	if err := json.Unmarshal(text, &p); err != nil {
		w.t.Fatal(err)
	}
	return p.Authentication.FromVerified, p.Authentication.DMARC.Result
}
