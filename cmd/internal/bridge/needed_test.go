package bridge

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/verify/dns"
)

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
