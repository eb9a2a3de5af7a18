package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

func run(t testing.TB, r dns.Resolver, m verify.Message) *verify.Results {
	t.Helper()
	return verify.New(verify.Config{Resolver: r, AuthservID: "mx.in.example"}).Verify(context.Background(), m)
}

func signed(t testing.TB) string { return sign(t, plain, relaxed("sender.example", "ed", edKey())) }

func TestFromVerified(t *testing.T) {
	z := zone(t, `
_dmarc.bank.example TXT "v=DMARC1; p=reject"
_dmarc.soft.example TXT "v=DMARC1; p=quarantine; sp=none"
bulk.example TXT "v=spf1 ip4:192.0.2.1 -all"
`)
	good := signed(t)
	dkimBroken := strings.Replace(good, "Hello", "Hullo", 1)
	from := func(address, content string) string {
		return strings.Replace(content, "ann@sender.example", address, 1)
	}
	for _, c := range []struct {
		rule, content, mailfrom string
		dmarc                   authres.Result
		by, disposition         string
	}{
		{"DKIM and SPF aligned", good, "sender.example", authres.Pass, "dkim", "none"},
		{"DKIM alone aligned", good, "bulk.example", authres.Pass, "dkim", "none"},
		{"SPF alone aligned", dkimBroken, "sender.example", authres.Pass, "spf", "none"},
		{"neither", dkimBroken, "bulk.example", authres.Fail, "", "reject"},
		{"both pass for another domain", from("ann@bank.example", plain), "sender.example", authres.Fail, "", "reject"},
		{"a second From on top of a signed message", "From: boss@bank.example\r\n" + good, "sender.example", authres.PermError, "", "none"},
		{"a second From behind", strings.Replace(good, "\r\nTo:", "\r\nfrom : boss@bank.example\r\nTo:", 1), "sender.example", authres.PermError, "", "none"},
		{"two authors", from("ann@sender.example>, <boss@bank.example", plain), "sender.example", authres.PermError, "", "none"},
		{"no record", from("ann@free.example", plain), "free.example", authres.None, "", "none"},
		{"no From", strings.TrimPrefix(plain, "From: Ann <ann@sender.example>\r\n"), "sender.example", authres.PermError, "", "none"},
		{"forged trust in the header", "Authentication-Results: mx.in.example; dmarc=pass header.from=bank.example\r\nReceived-SPF: pass\r\n" + from("ann@bank.example", plain), "bulk.example", authres.Fail, "", "reject"},
		{"an mbox line on top", "From boss@bank.example Sat Nov 21\r\n" + good, "sender.example", authres.Pass, "dkim", "none"},
		{"LF", strings.ReplaceAll(good, "\r\n", "\n"), "sender.example", authres.Pass, "dkim", "none"},
	} {
		m := message(c.content)
		m.MailFromDomain = c.mailfrom
		r := run(t, z, m)
		if r.DMARC.Result != c.dmarc || r.FromVerifiedBy != c.by || r.FromVerified != (c.by != "") || r.DMARC.Disposition != c.disposition {
			t.Errorf("%s: dmarc %s (%s), verified %v by %q, disposition %s", c.rule, r.DMARC.Result, r.DMARC.Reason, r.FromVerified, r.FromVerifiedBy, r.DMARC.Disposition)
		}
	}
}

// TestOnlyAPassIsAligned holds what a signature may count for, by the key's record.
func TestOnlyAPassIsAligned(t *testing.T) {
	key := keyRecord(t, edKey())
	for _, c := range []struct {
		rule, record, change string
		result               authres.Result
		aligned              bool
		dmarc                authres.Result
	}{
		{"pass", key, "", authres.Pass, true, authres.Pass},
		{"fail", key, "Hello", authres.Fail, false, authres.Fail},
		{"no key", "v=DKIM1; k=ed25519; p=", "", authres.PermError, false, authres.Fail},
		{"testing mode", key + "; t=y", "", authres.Pass, false, authres.Fail},
		{"testing mode, fail", key + "; t=y", "Hello", authres.Fail, false, authres.Fail},
	} {
		z := zone(t, txt("test._domainkey.sender.example", c.record))
		content := sign(t, plain, relaxed("sender.example", "test", edKey()))
		if c.change != "" {
			content = strings.Replace(content, c.change, "Changed", 1)
		}
		m := message(content)
		m.MailFromDomain = "bulk.example"
		r := run(t, z, m)
		if s := r.DKIM[0]; s.Result != c.result || s.Aligned != c.aligned || strings.Contains(s.Reason, "testing mode") != strings.Contains(c.record, "t=y") {
			t.Errorf("%s: %+v", c.rule, s)
		}
		if r.DMARC.Result != c.dmarc || r.DMARC.DKIMAligned != c.aligned || r.FromVerified != c.aligned {
			t.Errorf("%s: %+v, verified %v", c.rule, r.DMARC, r.FromVerified)
		}
	}
	z := zone(t, "")
	z.ServFail("ed._domainkey.sender.example")
	if r := run(t, z, message(signed(t))); r.DKIM[0].Result != authres.TempError || r.DKIM[0].Aligned {
		t.Errorf("no answer: %+v", r.DKIM[0])
	}
}

func TestTheNullReversePathIsEvaluatedAsHELO(t *testing.T) {
	m := message(plain)
	m.MailFromLocal, m.MailFromDomain = "", ""
	r := run(t, zone(t, ""), m)
	if r.SPF.Result != authres.Pass || r.SPF.Domain != "mail.sender.example" || !r.DMARC.SPFAligned {
		t.Errorf("%+v, %+v", r.SPF, r.DMARC)
	}
	if !strings.HasPrefix(r.Header, `mx.in.example; spf=pass reason="matched a" smtp.helo=mail.sender.example; dkim=none;`) {
		t.Errorf("header %s", r.Header)
	}
	if !strings.Contains(r.ReceivedSPF, " identity=helo;") || strings.Contains(r.ReceivedSPF, "envelope-from") {
		t.Errorf("received-spf %s", r.ReceivedSPF)
	}
}

func TestBehindARelayTheClientMeansNothing(t *testing.T) {
	m := message(signed(t))
	m.BehindRelay = true
	r := run(t, zone(t, ""), m)
	if r.SPF.Result != authres.None || r.SPF.Reason != "behind a relay" || r.SPFHelo.Result != authres.None ||
		r.IPRev.Result != authres.None || r.FromVerifiedBy != "dkim" {
		t.Errorf("%+v", r)
	}
}

// dead never answers.
type dead struct{}

func (dead) wait(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("resolver: %w", ctx.Err()) // wrapped, as some do
}
func (d dead) LookupTXT(ctx context.Context, _ string) ([]string, error) { return nil, d.wait(ctx) }
func (d dead) LookupMX(ctx context.Context, _ string) ([]*net.MX, error) { return nil, d.wait(ctx) }
func (d dead) LookupIPAddr(ctx context.Context, _ string) ([]net.IPAddr, error) {
	return nil, d.wait(ctx)
}
func (d dead) LookupAddr(ctx context.Context, _ string) ([]string, error) { return nil, d.wait(ctx) }

func TestADeadResolverCostsTheTimeoutAndYieldsTemperror(t *testing.T) {
	content, signedAt := sealed("list.example").Seal(signed(t)), time.Now()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		v := verify.New(verify.Config{Resolver: dead{}, AuthservID: "mx.in.example", Now: func() time.Time { return signedAt }})
		r := v.Verify(context.Background(), message(content))
		if took := time.Since(begin); took != verify.DefaultTimeout {
			t.Errorf("took %v", took)
		}
		for name, result := range map[string]authres.Result{
			"spf": r.SPF.Result, "spf helo": r.SPFHelo.Result, "dkim": r.DKIM[0].Result, "dmarc": r.DMARC.Result, "iprev": r.IPRev.Result, "arc": r.ARC.Result,
		} {
			if result != authres.TempError {
				t.Errorf("%s is %s", name, result)
			}
		}
		if r.DMARC.Disposition != "none" || r.FromVerified {
			t.Errorf("%+v", r.DMARC)
		}
	})
}

func TestAnOpenMethodIsNeverDMARCFail(t *testing.T) {
	for rule, harm := range map[string]string{
		"the key":                 "ed._domainkey.sender.example",
		"the sender's policy":     "sender.example",
		"the author's own record": "_dmarc.sender.example",
		"the walk's end":          "_dmarc.example",
	} {
		z := zone(t, "bounce.sender.example TXT \"v=spf1 +all\"\n")
		content := signed(t)
		m := message(content)
		if rule == "the key" {
			m.MailFromDomain = "other.example" // SPF can't help
		}
		if rule == "the sender's policy" {
			m.Content, m.Size = strings.NewReader(plain), int64(len(plain)) // DKIM can't help
		}
		if rule == "the walk's end" {
			// What has the author's own domain passes all the same.
			z.ServFail(harm)
			if r := run(t, z, m); r.DMARC.Result != authres.Pass || !r.FromVerified {
				t.Errorf("%s: %+v", rule, r.DMARC)
			}
			m.Content, m.Size, m.MailFromDomain = strings.NewReader(plain), int64(len(plain)), "bounce.sender.example"
		}
		z.ServFail(harm)
		if r := run(t, z, m); r.DMARC.Result != authres.TempError || r.DMARC.Disposition != "none" {
			t.Errorf("%s: %+v", rule, r.DMARC)
		}
	}
}

// panicking is a resolver with a fault.
type panicking struct{ *dns.Zone }

func (panicking) LookupTXT(context.Context, string) ([]string, error) { panic("canary-secret") }

func TestAPanicIsOneTemperrorAndAFaultForTheLog(t *testing.T) {
	r := run(t, panicking{zone(t, "")}, message(signed(t)))
	if r.SPF.Result != authres.TempError || r.DKIM[0].Result != authres.TempError || r.DMARC.Result != authres.TempError {
		t.Errorf("%+v", r)
	}
	if r.IPRev.Result != authres.Pass {
		t.Errorf("iprev %+v has nothing to do with it", r.IPRev)
	}
	if r.Fault == nil || strings.Contains(r.Fault.Error(), "canary") {
		t.Errorf("fault %v", r.Fault)
	}
}

// broken can't be read.
type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk on fire") }

func TestContentThatCantBeReadIsTemperror(t *testing.T) {
	m := message("")
	m.Content, m.Size = broken{}, 1000
	r := run(t, zone(t, ""), m)
	if r.DMARC.Result != authres.TempError || r.SPF.Result != authres.Pass || strings.Contains(fmt.Sprintf("%+v", r), "fire") {
		t.Errorf("%+v", r)
	}
}

func TestAHeaderWithoutEndIsPermerror(t *testing.T) {
	r := run(t, zone(t, ""), message("From: ann@sender.example\r\nX: "+strings.Repeat("x", 2<<20)))
	if r.DMARC.Result != authres.PermError || r.FromVerified {
		t.Errorf("%+v", r.DMARC)
	}
}

func TestNothingThatAPeerSaysHarmsTheFields(t *testing.T) {
	for _, evil := range []string{
		"\r\nTo: you", "x\x00y", "\xff\xfe", `";dmarc=pass`, "(", "a b", "é", strings.Repeat("x", 5000), "\u202e", "",
	} {
		m := message("From: <ann@" + evil + ">\nDKIM-Signature: v=1; a=" + evil + "; d=" + evil + "; s=" + evil + "; h=from; bh=AA==; b=AA==\n\n")
		m.HELO, m.MailFromLocal, m.MailFromDomain = evil, evil, evil+".example"
		r := run(t, zone(t, ""), m)
		for name, field := range map[string]string{"header": r.Header, "received-spf": r.ReceivedSPF} {
			if strings.ContainsFunc(field, unicode.IsControl) || len(field) > 4096 || !strings.HasPrefix(r.Header, "mx.in.example; spf=") {
				t.Errorf("%q: %s %q", evil, name, field)
			}
			if !authres.Claims(r.Header, "mx.in.example") {
				t.Errorf("%q: our own field is not ours: %q", evil, r.Header)
			}
		}
		if r.FromVerified || r.Fault != nil {
			t.Errorf("%q: %+v", evil, r)
		}
	}
}

func TestNoInputIsTooOdd(t *testing.T) {
	for _, m := range []verify.Message{
		{Content: strings.NewReader("")},
		{Content: strings.NewReader("\n"), Size: 1},
		{Content: strings.NewReader("From: a@b.c"), Size: 11, RemoteIP: netip.MustParseAddr("fe80::1%eth0")},
		{Content: strings.NewReader(plain), Size: 10}, // the size is less than there is
	} {
		r := run(t, zone(t, ""), m)
		if r.Fault != nil || r.Header == "" || r.ReceivedSPF == "" {
			t.Errorf("%+v", r)
		}
		known := []authres.Result{authres.None, authres.Pass, authres.Fail, authres.SoftFail, authres.Neutral, authres.Policy, authres.TempError, authres.PermError}
		for _, got := range []authres.Result{r.SPF.Result, r.SPFHelo.Result, r.DMARC.Result, r.ARC.Result, r.IPRev.Result} {
			found := false
			for _, k := range known {
				found = found || k == got
			}
			if !found {
				t.Errorf("result %q", got)
			}
		}
	}
}

// TestTheCacheChangesNothing compares a resolver that must ask for all, one that knows all
// and one without a cache.
func TestTheCacheChangesNothing(t *testing.T) {
	z := zone(t, sealers(t)+"_dmarc.down.example TXT \"v=DMARC1; p=reject\"\n")
	z.ServFail("down.example")
	server := dns.NewServer(z)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Stop(context.Background())
	content := signed(t)
	for _, m := range []verify.Message{
		message(content), message(plain), message("no header"),
		message(sealed("two.example").Seal(sealed("list.example").Seal(content))),
		message(strings.Replace(content, "Hello", "Hullo", 1)),
		message(strings.ReplaceAll(plain, "sender.example", "down.example")),
		{RemoteIP: netip.MustParseAddr("2001:db8::1"), HELO: "down.example", MailFromLocal: "x", MailFromDomain: "down.example", Content: strings.NewReader(plain), Size: int64(len(plain))},
	} {
		want := run(t, z, m)
		r := dns.New(dns.Config{Servers: []string{server.Addr()}})
		for _, state := range []string{"cold", "warm"} {
			if got := run(t, r, m); got.Header != want.Header || got.ReceivedSPF != want.ReceivedSPF || got.FromVerifiedReason != want.FromVerifiedReason {
				t.Errorf("%s:\n%+v\nwithout a cache\n%+v", state, got, want)
			}
		}
	}
}

func TestConcurrentMessagesDontMeet(t *testing.T) {
	v := verify.New(verify.Config{Resolver: zone(t, ""), AuthservID: "mx"})
	content := signed(t)
	want := v.Verify(context.Background(), message(content))
	done := make(chan *verify.Results)
	for range 8 {
		go func() { done <- v.Verify(context.Background(), message(content)) }()
	}
	for range 8 {
		if got := <-done; !reflect.DeepEqual(got, want) {
			t.Errorf("%+v", got)
		}
	}
}
