package dns

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
)

func TestADeadServerIsNotWaitedForAgain(t *testing.T) {
	dead, asked := silent(t)
	r := New(Config{Servers: []string{dead, serve(t, mustZone(t, `*.invalid TXT "x"`))}, Timeout: 500 * time.Millisecond})
	now := time.Now()
	r.now = func() time.Time { return now }
	look := func(i int) {
		t.Helper()
		if _, err := r.LookupTXT(context.Background(), fmt.Sprintf("n%d.example", i)); !IsNotFound(err) {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		look(i)
	}
	before := asked.Load()
	if before == 0 || before > 2 { // with EDNS and without
		t.Errorf("the dead server was asked %d times for 20 look-ups", before)
	}
	now = now.Add(probeAge)
	for i := range 20 {
		look(100 + i)
	}
	if n := asked.Load(); n == before || n > before+2 {
		t.Errorf("asked %d times, after a minute one look-up should have tried it again", n)
	}
}

func TestADomainThatIsBrokenEverywhereDoesNotDecideWhomWeAsk(t *testing.T) {
	var one, two counting
	first := one.start(t, func(m *mdns.Msg, q mdns.Question) {
		if strings.HasPrefix(q.Name, "broken") {
			m.Rcode = mdns.RcodeServerFailure
			m.SetEdns0(udpSize, false)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &mdns.EDNS0_EDE{InfoCode: mdns.ExtendedErrorCodeSignatureExpired, ExtraText: "since May"})
			return
		}
		m.Answer = []mdns.RR{rr(t, q.Name+` 0 TXT "x"`)}
	})
	second := two.start(t, func(m *mdns.Msg, q mdns.Question) { m.Answer = []mdns.RR{rr(t, q.Name+` 0 TXT "x"`)} })
	r := New(Config{Servers: []string{first, second}})
	for _, name := range []string{"broken.example", "a.example", "b.example"} {
		if _, err := r.LookupTXT(context.Background(), name); err != nil {
			t.Fatal(err)
		}
	}
	if one.asked.Load() != 3 || two.asked.Load() != 1 {
		t.Errorf("asked %d and %d times", one.asked.Load(), two.asked.Load())
	}
	r = New(Config{Servers: []string{first}})
	_, err := r.LookupTXT(context.Background(), "broken.example")
	if want := "SERVFAIL by " + first + " (Signature Expired: since May)"; !IsTemporary(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestTheSystemsServers(t *testing.T) {
	for _, c := range []struct{ rule, text, want string }{
		{"several, in their order", "nameserver 192.0.2.1\nnameserver 2001:db8::1\n", "192.0.2.1:53 [2001:db8::1]:53"},
		{"a loopback address is trusted", "nameserver 127.0.0.53\n", "127.0.0.53:53+AD"},
		{"an administrator may trust others", "options edns0 trust-ad\nnameserver 192.0.2.1", "192.0.2.1:53+AD"},
		{"an address with a zone", "nameserver fe80::1%eth0", "[fe80::1%eth0]:53"},
		{"comments and what we don't heed", "# nameserver 192.0.2.9\n; x\nsearch corp.example\ndomain x\noptions ndots:5\n\tnameserver\t192.0.2.1 # x", "192.0.2.1:53"},
		{"no address", "nameserver ns.example\nnameserver\n", ""},
	} {
		if got := shown(parseSystem([]byte(c.text))); got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestTheSystemsFileIsReadAgainWhenItChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(text string) {
		// Renamed into place, as those programs do that write this file.
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	u := newUpstreams(nil)
	u.file = file
	now := time.Now()
	order := func() string { return shown(u.order(now)) }
	if got := order(); got != "127.0.0.1:53+AD" {
		t.Errorf("without the file: %s", got)
	}
	write("nameserver 192.0.2.1\nnameserver 192.0.2.2")
	if got := order(); got != "127.0.0.1:53+AD" {
		t.Errorf("read again at once: %s", got)
	}
	now = now.Add(fileAge)
	if got := order(); got != "192.0.2.1:53 192.0.2.2:53" {
		t.Errorf("after a while: %s", got)
	}
	u.answered(u.list[1], now)
	if got := order(); got != "192.0.2.2:53 192.0.2.1:53" {
		t.Errorf("who answered goes first: %s", got)
	}
	for _, text := range []string{"", "nameserver 192.0.2.3"} {
		write(text)
		now = now.Add(fileAge)
		want := "192.0.2.2:53 192.0.2.1:53"
		if text != "" {
			want = "192.0.2.3:53"
		}
		if got := order(); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	now = now.Add(fileAge)
	if got := order(); got != "192.0.2.3:53" {
		t.Errorf("without the file the known servers stay: %s", got)
	}
}
