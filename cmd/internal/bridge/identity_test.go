package bridge

import (
	"net/netip"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks/delivery"
	"mxhook/verify"
	"mxhook/verify/authres"
)

const original = "From: ann@sender.example\r\nSubject: hello\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n" +
	"Message-ID: <1@sender.example>\r\n\r\nHello\r\n"

// arrival is a transaction that carries a message.
type arrival struct {
	content, reversePath, peer, transaction string
	dkim, spf                               string // the domains that pass
}

func (a arrival) identity(t *testing.T) [32]byte {
	t.Helper()
	path, err := inbound.ParsePath(a.reversePath, true)
	if err != nil {
		t.Fatal(err)
	}
	data := inbound.NewMailData([]byte(a.content))
	m := delivery.Mail{
		Session: inbound.Session{RemoteIP: netip.MustParseAddr(a.peer)},
		Mail:    inbound.Mail{ReversePath: path},
		Message: message.Parse(data, data.Size(), message.Options{}),
		Data:    data, Results: &verify.Results{},
	}
	if a.dkim != "" {
		m.Results.DKIM = []verify.DKIM{{Result: authres.Fail, Domain: "broken.example"}, {Result: authres.Pass, Domain: a.dkim}}
	}
	if a.spf != "" {
		m.Results.SPF = verify.SPF{Result: authres.Pass, Domain: a.spf}
	}
	return identify(m, a.transaction).Sum()
}

func TestIdentity(t *testing.T) {
	unsigned := arrival{content: original, reversePath: "ann@sender.example", peer: "192.0.2.1", transaction: "t1"}
	signed := unsigned
	signed.dkim = "sender.example"
	with := func(base arrival, change func(*arrival)) arrival {
		change(&base)
		return base
	}
	replaced := func(old, new string) func(*arrival) {
		return func(a *arrival) { a.content = strings.Replace(a.content, old, new, 1) }
	}
	cases := []struct {
		name string
		a, b arrival
		same bool
	}{
		{"a resend in another transaction", unsigned, with(unsigned, func(a *arrival) { a.transaction = "t2" }), true},
		{"another Received field", unsigned, with(unsigned, replaced("From:", "Received: from a by b\r\nFrom:")), true},
		{"another DKIM-Signature field", unsigned, with(unsigned, replaced("From:", "DKIM-Signature: v=1\r\nFrom:")), true},
		{"another Authentication-Results field", unsigned, with(unsigned, replaced("From:", "Authentication-Results: x; spf=pass\r\nFrom:")), true},
		{"unsigned from the same /24", unsigned, with(unsigned, func(a *arrival) { a.peer = "192.0.2.200" }), true},
		{"unsigned from another /24", unsigned, with(unsigned, func(a *arrival) { a.peer = "192.0.3.1" }), false},
		{"unsigned from the same /64", with(unsigned, func(a *arrival) { a.peer = "2001:db8::1" }),
			with(unsigned, func(a *arrival) { a.peer = "2001:db8::ffff:1" }), true},
		{"unsigned from another /64", with(unsigned, func(a *arrival) { a.peer = "2001:db8::1" }),
			with(unsigned, func(a *arrival) { a.peer = "2001:db8:0:1::1" }), false},
		{"signed from anywhere", signed, with(signed, func(a *arrival) { a.peer = "198.51.100.7" }), true},
		{"signed by another case of the domain", signed, with(signed, func(a *arrival) { a.dkim = "Sender.EXAMPLE" }), true},
		{"a forged copy without a passing signature", signed, unsigned, false},
		{"signed by another domain", signed, with(signed, func(a *arrival) { a.dkim = "other.example" }), false},
		{"SPF passes as well", signed, with(signed, func(a *arrival) { a.spf = "sender.example" }), false},
		{"another case of the reverse-path's domain", unsigned, with(unsigned, func(a *arrival) { a.reversePath = "ann@SENDER.example" }), true},
		{"another reverse-path", unsigned, with(unsigned, func(a *arrival) { a.reversePath = "bob@sender.example" }), false},
		{"the null reverse-path", unsigned, with(unsigned, func(a *arrival) { a.reversePath = "" }), false},
		{"another body", unsigned, with(unsigned, replaced("Hello\r\n", "Hello!\r\n")), false},
		{"another Subject", unsigned, with(unsigned, replaced("hello", "other")), false},
		{"another Date", unsigned, with(unsigned, replaced("10:00", "10:01")), false},
		{"another author", unsigned, with(unsigned, replaced("From: ann", "From: bob")), false},
		{"another Message-ID", unsigned, with(unsigned, replaced("<1@", "<2@")), false},
		{"no Message-ID, another transaction", with(unsigned, replaced("Message-ID: <1@sender.example>\r\n", "")),
			with(with(unsigned, replaced("Message-ID: <1@sender.example>\r\n", "")), func(a *arrival) { a.transaction = "t2" }), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.a.identity(t) == c.b.identity(t); got != c.same {
				t.Errorf("the same: %v, want %v", got, c.same)
			}
		})
	}
}
