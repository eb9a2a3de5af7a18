package verify_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"mxhook/verify"
	"mxhook/verify/authres"
	"mxhook/verify/dns"
	"mxhook/verify/sealer"
)

// sealed is a sealer that says what it should.
func sealed(domain string) sealer.Sealer {
	return sealer.Sealer{Domain: domain, Selector: "ed", Signer: edKey(), Results: "mx." + domain + "; dmarc=pass header.from=sender.example"}
}

// sealers are the keys of those.
func sealers(t testing.TB) string {
	return txt("ed._domainkey.list.example", keyRecord(t, edKey())) + txt("ed._domainkey.one.example", keyRecord(t, edKey())) +
		txt("ed._domainkey.two.example", keyRecord(t, edKey()))
}

// forwarded comes from a list's server, so that SPF is of no help, and carries no
// signature of its author that holds.
func forwarded(content string) verify.Message {
	m := message(content)
	m.MailFromDomain = "list.example"
	return m
}

func TestATrustedSealerVerifiesTheAuthor(t *testing.T) {
	z := zone(t, sealers(t))
	seal := func(s sealer.Sealer) string { return s.Seal(plain) }
	says := func(results string) string {
		s := sealed("list.example")
		s.Results = results
		return seal(s)
	}
	good := seal(sealed("list.example"))
	late := sealed("two.example").Seal(good)
	for rule, c := range map[string]struct {
		content string
		trusted []string
		by      string
		arc     authres.Result
	}{
		"nobody is trusted by default":        {good, nil, "", authres.Pass},
		"trusted":                             {good, []string{"list.example"}, "arc", authres.Pass},
		"another is trusted":                  {good, []string{"two.example"}, "", authres.Pass},
		"trusted, but not the newest":         {late, []string{"list.example"}, "", authres.Pass},
		"all from the newest down":            {late, []string{"list.example", "two.example"}, "arc", authres.Pass},
		"it says fail":                        {says("mx; dmarc=fail header.from=sender.example"), []string{"list.example"}, "", authres.Pass},
		"it speaks of another author":         {says("mx; dmarc=pass header.from=bank.example"), []string{"list.example"}, "", authres.Pass},
		"the body was changed afterwards":     {strings.Replace(good, "Hello.", "Hullo.", 1), []string{"list.example"}, "", authres.Fail},
		"the author was changed afterwards":   {strings.Replace(good, "ann@sender.example", "ann@bank.example", 1), []string{"list.example"}, "", authres.Fail},
		"a second author on top":              {"From: boss@sender.example\r\n" + good, []string{"list.example"}, "", authres.Pass},
		"two authors in one field":            {sealed("list.example").Seal(strings.Replace(plain, "Ann <ann@sender.example>", "ann@sender.example, bob@sender.example", 1)), []string{"list.example"}, "", authres.Pass},
		"two fields of one author, sealed so": {sealed("list.example").Seal("From: boss@sender.example\r\n" + plain), []string{"list.example"}, "", authres.Pass},
		"forged results without a seal":       {"ARC-Authentication-Results: i=1; mx; dmarc=pass header.from=sender.example\r\n" + plain, []string{"list.example"}, "", authres.Fail},
	} {
		v := verify.New(verify.Config{Resolver: z, AuthservID: "mx.in.example", TrustedSealers: c.trusted})
		r := v.Verify(context.Background(), forwarded(c.content))
		if r.ARC.Result != c.arc || r.FromVerifiedBy != c.by || r.FromVerified != (c.by != "") {
			t.Errorf("%s: verified by %q, %+v", rule, r.FromVerifiedBy, r.ARC)
		}
		if r.DMARC.Result == authres.Pass {
			t.Errorf("%s: DMARC is not the chain's: %+v", rule, r.DMARC)
		}
	}
}

func TestWhatDMARCProvesIsNotTheChains(t *testing.T) {
	v := verify.New(verify.Config{Resolver: zone(t, sealers(t)), AuthservID: "mx.in.example", TrustedSealers: []string{"list.example"}})
	r := v.Verify(context.Background(), message(sealed("list.example").Seal(signed(t))))
	if r.FromVerifiedBy != "dkim" || !r.ARC.Trusted || r.ARC.Reason != "a trusted sealer says dmarc=pass for sender.example" {
		t.Errorf("by %q, %+v", r.FromVerifiedBy, r.ARC)
	}
}

// TestTheChainInTheHeader holds the words of RFC 8617 10: results none, pass and fail,
// and where the message came from.
func TestTheChainInTheHeader(t *testing.T) {
	z := zone(t, sealers(t))
	broken := zone(t, sealers(t))
	broken.ServFail("ed._domainkey.list.example")
	good := sealed("two.example").Seal(strings.Replace(sealed("list.example").Seal(plain), "Hello.", "Hello, list.", 1))
	for want, c := range map[string]struct {
		r dns.Resolver
		m verify.Message
	}{
		"; arc=none;": {z, message(plain)},
		`; arc=pass header.oldest-pass=2 smtp.remote-ip=192.0.2.1 arc.chain="list.example:two.example";`:                                   {z, message(good)},
		`; arc=fail reason="ARC-Message-Signature i=2: the body was changed" smtp.remote-ip=192.0.2.1;`:                                    {z, message(good + "x")},
		`; arc=fail reason="ARC-Seal i=1: the key's name server does not answer" smtp.remote-ip=192.0.2.1;`:                                {broken, message(good)},
		`; arc=fail reason="more than 50 ARC sets" smtp.remote-ip=192.0.2.1;`:                                                              {z, message(strings.Repeat("ARC-Seal: i=1\r\n", 51) + plain)},
		`; arc=fail reason="an ARC-Authentication-Results is malformed or has no instance from 1 to 50" smtp.remote-ip=192.0.2.1; iprev=p`: {z, message("arc-authentication-results: ;x\r\n" + plain)},
	} {
		if r := run(t, c.r, c.m); !strings.Contains(r.Header, want) {
			t.Errorf("%s\nwant %s", r.Header, want)
		}
	}
	m := message(good)
	m.BehindRelay = true
	if r := run(t, z, m); !strings.Contains(r.Header, `; arc=pass header.oldest-pass=2 arc.chain="list.example:two.example"; iprev=none`) {
		t.Errorf("behind a relay: %s", r.Header)
	}
	if r := run(t, z, message(good)); r.ARC.ChainLength != 2 || strings.Join(r.ARC.Sealers, " ") != "list.example two.example" || r.ARC.Trusted || r.ARC.Reason != "" {
		t.Errorf("%+v", r.ARC)
	}
	if r := run(t, broken, message(good)); r.ARC.Result != authres.TempError || r.ARC.Trusted {
		t.Errorf("an unanswered question: %+v", r.ARC)
	}
	if r := run(t, z, message(plain)); r.ARC.Result != authres.None || r.ARC.ChainLength != 0 || r.ARC.Reason != "" || r.ARC.Sealers == nil || r.DKIM == nil {
		t.Errorf("%+v", r.ARC)
	}
}

// once counts how often each byte of the content is read.
type once struct {
	io.ReaderAt
	read atomic.Int64
}

func (o *once) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.ReaderAt.ReadAt(p, off)
	o.read.Add(int64(n))
	return n, err
}

func TestTheBodyIsReadOnceForSignaturesAndSets(t *testing.T) {
	header, _, _ := strings.Cut(plain, "\r\n\r\n")
	content := header + "\r\n\r\n" + body(1<<20)
	content = sign(t, sign(t, content, relaxed("sender.example", "ed", edKey())), relaxed("sender.example", "rsa", rsaKey()))
	simple := sealed("two.example")
	simple.Simple = true
	content = simple.Seal(sealed("one.example").Seal(sealed("list.example").Seal(content)))
	counted := &once{ReaderAt: strings.NewReader(content)}
	m := message(content)
	m.Content = counted
	r := run(t, zone(t, sealers(t)), m)
	if r.ARC.Result != authres.Pass || r.DKIM[0].Result != authres.Pass || r.DKIM[1].Result != authres.Pass {
		t.Fatalf("%+v, %+v", r.ARC, r.DKIM)
	}
	// The header's reader takes whole blocks and looks for the blank line twice.
	if read := counted.read.Load(); read > int64(len(content))+32<<10 {
		t.Errorf("%d bytes read of %d", read, len(content))
	}
}

func TestAChainTakesNoQuestionsFromOtherMethods(t *testing.T) {
	content, keys := plain, ""
	for i := range 50 {
		s := sealed(strings.Repeat("a", i+1) + ".chain.example")
		keys += txt("ed._domainkey."+s.Domain, keyRecord(t, edKey()))
		content = s.Seal(content)
	}
	counted := &txtCounter{Zone: zone(t, keys)}
	r := run(t, counted, message(content))
	if r.ARC.Result != authres.Pass || r.ARC.ChainLength != 50 || r.DMARC.Result != authres.Pass || r.SPF.Result != authres.Pass {
		t.Errorf("%+v, %+v", r.ARC, r.DMARC)
	}
	if n := counted.n.Load(); n > verify.MaxQuestions {
		t.Errorf("%d questions", n)
	}
}

type txtCounter struct {
	*dns.Zone
	n atomic.Int64
}

func (c *txtCounter) LookupTXT(ctx context.Context, name string) ([]string, error) {
	c.n.Add(1)
	return c.Zone.LookupTXT(ctx, name)
}
