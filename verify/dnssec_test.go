package verify_test

import (
	"context"
	"net"
	"testing"
	"time"

	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

func TestDNSSECIsReportedForTheRecordsThatDecided(t *testing.T) {
	content := sign(t, plain, relaxed("sender.example", "rsa", rsaKey()))
	for _, c := range []struct {
		rule                   string
		signed                 []string
		spf, helo, dkim, dmarc bool
	}{
		{"nothing is signed", nil, false, false, false, false},
		{"everything is", []string{"."}, true, true, true, true},
		{"the key alone", []string{"_domainkey.sender.example"}, false, false, true, false},
		{"all but the top, whose answer the tree walk needs", []string{"sender.example"}, true, true, true, false},
	} {
		z := zone(t, "")
		for _, name := range c.signed {
			z.Authenticate(name)
		}
		server := dns.NewServer(z)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		for _, resolver := range []dns.Resolver{z, dns.New(dns.Config{Servers: []string{server.Addr()}})} {
			r := verify.New(verify.Config{Resolver: resolver, AuthservID: "mx.in.example"}).Verify(context.Background(), message(content))
			if r.SPF.DNSSEC != c.spf || r.SPFHelo.DNSSEC != c.helo || r.DKIM[0].DNSSEC != c.dkim || r.DMARC.DNSSEC != c.dmarc {
				t.Errorf("%s: spf %t, helo %t, dkim %t, dmarc %t", c.rule, r.SPF.DNSSEC, r.SPFHelo.DNSSEC, r.DKIM[0].DNSSEC, r.DMARC.DNSSEC)
			}
		}
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestADeadResolverCostsTheMessagesTimeAndDecidesNothing(t *testing.T) {
	var servers []string
	for range 3 {
		silent, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		servers = append(servers, silent.LocalAddr().String())
	}
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	content := sign(t, sign(t, plain, relaxed("sender.example", "ed", edKey())), relaxed("sender.example", "rsa", rsaKey()))
	for rule, list := range map[string][]string{
		"one that is silent": servers[:1], "three that are silent": servers, "one that is not there": {gone.LocalAddr().String()},
	} {
		const limit = 300 * time.Millisecond
		v := verify.New(verify.Config{
			Resolver: dns.New(dns.Config{Servers: list}), AuthservID: "mx.in.example", Timeout: limit,
		})
		begin := time.Now()
		r := v.Verify(context.Background(), message(content))
		if took := time.Since(begin); took > limit+10*time.Second {
			t.Errorf("%s: took %v, the limit is %v", rule, took, limit)
		}
		for what, got := range map[string]authres.Result{
			"spf": r.SPF.Result, "helo": r.SPFHelo.Result, "dkim": r.DKIM[0].Result, "dkim 2": r.DKIM[1].Result, "dmarc": r.DMARC.Result,
			"iprev": r.IPRev.Result, "name": r.HELO.Result,
		} {
			if got != authres.TempError {
				t.Errorf("%s: %s is %s", rule, what, got)
			}
		}
		if r.FromVerified || r.DMARC.Disposition != "none" {
			t.Errorf("%s: from verified %t, disposition %s", rule, r.FromVerified, r.DMARC.Disposition)
		}
	}
}
