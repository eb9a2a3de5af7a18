package arc_test

import (
	"context"
	"strings"
	"testing"

	"mxhook/verify/arc"
	"mxhook/verify/authres"
	"mxhook/verify/sealer"
)

func TestAChainOfThreePasses(t *testing.T) {
	z := zone(t)
	_, e := validate(t, z, three())
	if e.Result != authres.Pass || e.Length != 3 || e.OldestPass != 0 || e.Reason != "" ||
		strings.Join(e.Sealers, " ") != "one.example two.example three.example" {
		t.Errorf("%+v", e)
	}
	if z.n != 3 {
		t.Errorf("%d questions for three keys", z.n)
	}
}

func TestAMessageWithoutSetsIsNone(t *testing.T) {
	for _, message := range []string{plain, "ARC-Something: i=1\r\n" + plain, "Subject: ARC-Seal: i=1\r\n\r\n"} {
		z := zone(t)
		if _, e := validate(t, z, message); e.Result != authres.None || e.Length != 0 || e.Reason != "" || e.Sealers == nil || z.n != 0 {
			t.Errorf("%+v, %d questions", e, z.n)
		}
	}
}

// TestOldestPass holds RFC 8617 5.2 step 5: who changed the message on its way is seen.
func TestOldestPass(t *testing.T) {
	changed := strings.Replace(ed("one.example").Seal(plain), "Hello.", "Hello.\r\n-- \r\nthe list", 1)
	_, e := validate(t, zone(t), ed("two.example").Seal(changed))
	if e.Result != authres.Pass || e.OldestPass != 2 {
		t.Errorf("changed before the second: %+v", e)
	}
	again := strings.Replace(ed("two.example").Seal(changed), "Subject: hello", "Subject: [list] hello", 1)
	if _, e := validate(t, zone(t), ed("one.example").Seal(again)); e.Result != authres.Pass || e.OldestPass != 3 {
		t.Errorf("changed twice: %+v", e)
	}
	// The oldest that counts is the one after the newest that fails, whoever holds before.
	back := strings.Replace(ed("two.example").Seal(changed), "\r\n-- \r\nthe list", "", 1)
	if _, e := validate(t, zone(t), ed("one.example").Seal(back)); e.Result != authres.Pass || e.OldestPass != 3 {
		t.Errorf("changed back: %+v", e)
	}
}

func TestAChangeAfterTheNewestFails(t *testing.T) {
	for rule, change := range map[string][2]string{
		"body":               {"Hello.", "Hullo."},
		"header":             {"Subject: hello", "Subject: hullo"},
		"author":             {"ann@sender.example", "ann@bank.example"},
		"oldest results":     {"i=1; mx.one.example; dmarc=pass", "i=1; mx.one.example; dmarc=fail"},
		"newest results":     {"i=3; mx.three.example; dmarc=fail", "i=3; mx.three.example; dmarc=pass"},
		"a result's domain":  {"dmarc=pass header.from=sender.example", "dmarc=pass header.from=bank.example"},
		"a seal's selector":  {"cv=none; d=one.example; s=ed", "cv=none; d=two.example; s=ed"},
		"the last set taken": {"i=3;", "i=2;"},
	} {
		if message := strings.Replace(three(), change[0], change[1], 1); message == three() {
			t.Errorf("%s: nothing changed", rule)
		} else if c, e := validate(t, zone(t), message); e.Result != authres.Fail || e.Reason == "" || len(e.Sealers) != 0 {
			t.Errorf("%s: %+v", rule, e)
		} else if trusted, vouched := c.Trust(arc.NewSealers([]string{"one.example", "two.example", "three.example"}), "sender.example"); trusted || vouched {
			t.Errorf("%s: trusted", rule)
		}
	}
}

func TestWhatStripsTheNewestSetsLeavesAChain(t *testing.T) {
	// Nothing in the standard can tell: the message must then fit the older signature.
	two := ed("two.example").Seal(ed("one.example").Seal(plain))
	_, rest, _ := strings.Cut(two, "ARC-Authentication-Results: i=2;")
	_, rest, _ = strings.Cut(rest, "\r\n")
	if _, e := validate(t, zone(t), rest); e.Result != authres.Pass || e.Length != 1 {
		t.Errorf("%+v", e)
	}
}

func TestSealsAndSignaturesHaveRulesOfTheirOwn(t *testing.T) {
	edit := func(f func(*sealer.Sealer)) string {
		s := ed("one.example")
		f(&s)
		return s.Seal(plain)
	}
	for rule, c := range map[string]struct {
		message string
		want    authres.Result
		reason  string
	}{
		"h= in a seal":            {edit(func(s *sealer.Sealer) { s.SealTags = "; h=From" }), authres.Fail, "ARC-Seal i=1: h= is not allowed in an ARC-Seal"},
		"c= in a seal is unknown": {edit(func(s *sealer.Sealer) { s.SealTags = "; c=simple/simple" }), authres.Pass, ""},
		"x= in a seal is unknown": {edit(func(s *sealer.Sealer) { s.SealTags = "; x=1" }), authres.Pass, ""},
		"a seal from the future":  {edit(func(s *sealer.Sealer) { s.SealTags = "; t=1795608000" }), authres.Fail, "ARC-Seal i=1: the signature is from the future (t=)"},
		"a gap between tags":      {edit(func(s *sealer.Sealer) { s.SealTags = ";" }), authres.Fail, "an ARC-Seal is malformed or has no instance from 1 to 50"},
		"v= has no meaning":       {edit(func(s *sealer.Sealer) { s.SignatureTags = "; v=7" }), authres.Pass, ""},
		"an expired signature":    {edit(func(s *sealer.Sealer) { s.SignatureTags = "; x=1700000000" }), authres.Fail, "ARC-Message-Signature i=1: the signature expired at 2023-11-14T22:13:20Z"},
		"l= leaves a body open":   {edit(func(s *sealer.Sealer) { s.SignatureTags = "; l=8" }), authres.Fail, "ARC-Message-Signature i=1: l= is not accepted"},
		"From must be signed":     {edit(func(s *sealer.Sealer) { s.Headers = "To:Subject" }), authres.Fail, "ARC-Message-Signature i=1: the From field is not signed"},
		"a seal can't be signed":  {edit(func(s *sealer.Sealer) { s.Headers = "From:ARC-Seal" }), authres.Fail, "ARC-Message-Signature i=1: an ARC-Seal is signed"},
		"cv=pass at the first":    {edit(func(s *sealer.Sealer) { s.CV = "pass" }), authres.Fail, "the seal i=1 does not say cv=none"},
		"no key":                  {edit(func(s *sealer.Sealer) { s.Selector = "none" }), authres.Fail, "ARC-Message-Signature i=1: no key at none._domainkey.one.example"},
	} {
		if _, e := validate(t, zone(t), c.message); e.Result != c.want || e.Reason != c.reason {
			t.Errorf("%s: %+v", rule, e)
		}
	}
}

func TestAKeyThatCantBeAskedForIsTemperror(t *testing.T) {
	for _, domain := range []string{"one.example", "two.example", "three.example"} {
		z := zone(t)
		z.ServFail("ed._domainkey." + domain)
		z.Timeout("rsa._domainkey." + domain)
		c, e := validate(t, z, three())
		if e.Result != authres.TempError || !strings.HasSuffix(e.Reason, "the key's name server does not answer") || len(e.Sealers) != 0 {
			t.Errorf("%s: %+v", domain, e)
		}
		if trusted, _ := c.Trust(arc.NewSealers([]string{"three.example"}), "sender.example"); trusted {
			t.Errorf("%s: trusted", domain)
		}
	}
}

func TestABodyThatWasNotReadIsTemperror(t *testing.T) {
	z := zone(t)
	c, _ := validate(t, z, plain)
	if e := c.Evaluate(context.Background(), z); e.Result != authres.None {
		t.Errorf("%+v", e)
	}
	c = read(t, three())
	c.FetchNewest(context.Background(), z)
	if e := c.Evaluate(context.Background(), z); e.Result != authres.TempError {
		t.Errorf("%+v", e)
	}
	if e := read(t, three()).Evaluate(context.Background(), z); e.Result != authres.TempError {
		t.Errorf("no keys either: %+v", e)
	}
}
