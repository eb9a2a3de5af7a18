package arc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mxhook/verify/arc"
	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/internal/cputime"
	"mxhook/verify/sealer"
)

func read(t testing.TB, message string) *arc.Chain {
	t.Helper()
	content := strings.NewReader(message)
	header, _, err := dkim.ReadHeader(content, content.Size())
	if err != nil {
		t.Fatal(err)
	}
	return arc.Read(header, now)
}

// forged is a set that nobody signed.
func forged(i int, cv string) string {
	return fmt.Sprintf("ARC-Seal: i=%d; a=ed25519-sha256; cv=%s; d=one.example; s=ed%d; b=AAAA\r\n"+
		"ARC-Message-Signature: i=%d; a=ed25519-sha256; c=relaxed/relaxed; d=one.example; s=ed%d; h=From; bh=AAAA; b=AAAA\r\n"+
		"ARC-Authentication-Results: i=%d; one.example; dmarc=pass header.from=sender.example\r\n", i, cv, i, i, i, i)
}

func forgedChain(n int) string {
	message := plain
	for i := 1; i <= n; i++ {
		cv := "pass"
		if i == 1 {
			cv = "none"
		}
		message = forged(i, cv) + message
	}
	return message
}

// TestABrokenStructureCostsNoQuestionAndNoSignature is RFC 8617 5.2, steps 1 to 3.
func TestABrokenStructureCostsNoQuestionAndNoSignature(t *testing.T) {
	first, second := forged(1, "none"), forged(2, "pass")
	for rule, c := range map[string]struct{ message, reason string }{
		"51 sets":               {forgedChain(51), "more than 50 ARC sets"},
		"1000 sets":             {forgedChain(1000), "more than 50 ARC sets"},
		"an instance beyond 50": {forged(51, "pass") + first + plain, "an ARC-Seal is malformed or has no instance from 1 to 50"},
		"a gap":                 {forged(3, "pass") + first + plain, "the set i=2 is not complete"},
		"no first":              {second + plain, "the set i=1 is not complete"},
		"the same twice":        {second + first + first + plain, "the instance i=1 stands twice"},
		"the same as 01":        {strings.Replace(first, "i=1", "i=01", 1) + first + plain, "the instance i=1 stands twice"},
		"cv=fail at the end":    {forged(2, "fail") + first + plain, "the chain was broken before: cv=fail at i=2"},
		"cv=fail early":         {forged(3, "pass") + second + forged(1, "fail") + plain, "the chain was broken before: cv=fail at i=1"},
		"cv=fail alone":         {strings.SplitAfter(forged(2, "fail"), "\r\n")[0] + first + plain, "the chain was broken before: cv=fail at i=2"},
		"cv=none later":         {forged(2, "none") + first + plain, "the seal i=2 does not say cv=pass"},
		"a seal alone":          {strings.SplitAfter(first, "\r\n")[0] + plain, "the set i=1 is not complete"},
		"results alone":         {strings.SplitAfter(first, "\r\n")[2] + plain, "the set i=1 is not complete"},
		"results without i=":    {strings.Replace(first, "Results: i=1;", "Results:", 1) + plain, "an ARC-Authentication-Results is malformed or has no instance from 1 to 50"},
		"i= is no number":       {strings.Replace(first, "i=1", "i=+1", 1) + plain, "an ARC-Seal is malformed or has no instance from 1 to 50"},
	} {
		z := zone(t)
		chain, e := validate(t, z, c.message)
		if e.Result != authres.Fail || e.Reason != c.reason || z.n != 0 || len(chain.Bodies()) != 0 || len(e.Sealers) != 0 {
			t.Errorf("%s: %+v, %d questions", rule, e, z.n)
		}
	}
}

func TestAForgedChainCostsTwoQuestions(t *testing.T) {
	z := zone(t)
	if _, e := validate(t, z, forgedChain(arc.MaxSets)); e.Result != authres.Fail || z.n > 2 {
		t.Errorf("%+v, %d questions", e, z.n)
	}
}

func TestFiftySetsPass(t *testing.T) {
	message := plain
	for range arc.MaxSets {
		message = ed("one.example").Seal(message)
	}
	z := zone(t)
	if _, e := validate(t, z, message); e.Result != authres.Pass || e.Length != arc.MaxSets || e.OldestPass != 0 || z.n > 2 {
		t.Errorf("%+v, %d questions", e, z.n)
	}
	if _, e := validate(t, zone(t), ed("one.example").Seal(message)); e.Result != authres.Fail {
		t.Errorf("one more: %+v", e)
	}
}

// TestHugeHeadersCostNoMoreThanText: what fifty signatures want of a large header is
// made canonical once, and what fifty seals cover is hashed once.
func TestHugeHeadersCostNoMoreThanText(t *testing.T) {
	wide := ed("one.example")
	wide.Headers = "From" + strings.Repeat(":X", 40)
	wide.Results += " (" + strings.Repeat("z ", 4<<10) + ")"
	message := strings.Repeat("X: "+strings.Repeat("y \t ", 256)+"\r\n", 40) + plain
	for range arc.MaxSets {
		message = wide.Seal(message)
	}
	for name, message := range map[string]string{
		"a chain that passes": message,
		"1000 sets":           forgedChain(1000),
		"many empty fields":   strings.Repeat("ARC-Seal:\r\n", 80_000) + plain,
		"one long field":      "ARC-Seal: " + strings.Repeat("i=1;", 200_000) + "\r\n" + plain,
		"one long comment":    "ARC-Authentication-Results: " + strings.Repeat("(", 900_000) + "\r\n" + plain,
	} {
		z := zone(t)
		begin := cputime.Used()
		_, e := validate(t, z, message)
		// Far above what it costs, far below a square, also under the race detector.
		if took := cputime.Used() - begin; took > 3*time.Second || (e.Result == authres.Pass) != strings.Contains(name, "passes") {
			t.Errorf("%s: %+v in %v", name, e, took)
		} else {
			t.Logf("%s: %d bytes, %s in %v", name, len(message), e.Result, took)
		}
	}
}

func trust(t *testing.T, message, author string, domains ...string) (trusted, vouched bool) {
	t.Helper()
	c, _ := validate(t, zone(t), message)
	return c.Trust(arc.NewSealers(domains), author)
}

func TestTrust(t *testing.T) {
	says := func(domain, results string) sealer.Sealer {
		s := ed(domain)
		s.Results = results
		return s
	}
	const good = "mx.one.example; dmarc=pass header.from=sender.example"
	one := ed("one.example").Seal(plain)
	two := says("two.example", "mx.two.example; dmarc=fail header.from=sender.example").Seal(one)
	broken := strings.Replace(one, "b=", "b=AAAA", 1)
	otherSignature := ed("one.example")
	otherSignature.SignatureDomain = "two.example"
	for rule, c := range map[string]struct {
		message, author  string
		sealers          []string
		trusted, vouched bool
	}{
		"nobody is trusted by default":                 {one, "sender.example", nil, false, false},
		"the newest is trusted":                        {one, "sender.example", []string{"One.Example."}, true, true},
		"a parent domain is another":                   {one, "sender.example", []string{"example"}, false, false},
		"another author":                               {one, "bank.example", []string{"one.example"}, true, false},
		"no author":                                    {one, "", []string{"one.example"}, true, false},
		"a broken seal with a trusted name":            {broken, "sender.example", []string{"one.example"}, false, false},
		"a forged chain with a trusted name":           {forgedChain(1), "sender.example", []string{"one.example"}, false, false},
		"trusted, but not the newest":                  {two, "sender.example", []string{"one.example"}, false, false},
		"the newest alone is trusted, and says fail":   {two, "sender.example", []string{"two.example"}, true, false},
		"both are trusted, and the older says pass":    {two, "sender.example", []string{"one.example", "two.example"}, true, true},
		"an untrusted one between":                     {says("one.example", "mx; dmarc=fail header.from=sender.example").Seal(ed("two.example").Seal(one)), "sender.example", []string{"one.example"}, true, false},
		"a key in testing mode":                        {ed("testing.example").Seal(plain), "sender.example", []string{"testing.example"}, false, false},
		"the message signature is of another":          {otherSignature.Seal(plain), "sender.example", []string{"one.example"}, false, false},
		"... unless that one is trusted too":           {otherSignature.Seal(plain), "sender.example", []string{"one.example", "two.example"}, true, true},
		"a second author's field changes nothing here": {"X: y\r\n" + one, "sender.example", []string{"one.example"}, true, true},
		"results without a domain":                     {says("one.example", "mx; dmarc=pass").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"an envelope's domain is no author's":          {says("one.example", "mx; dmarc=pass smtp.from=sender.example").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"dmarc twice":                                  {says("one.example", good+"; dmarc=fail header.from=bank.example").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"two domains":                                  {says("one.example", good+" header.from=bank.example").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"SPF is not DMARC":                             {says("one.example", "mx; spf=pass header.from=sender.example").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"pass in a comment":                            {says("one.example", "mx; spf=none (; dmarc=pass header.from=sender.example)").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"pass in quotes":                               {says("one.example", `mx; spf=none smtp.mailfrom="; dmarc=pass header.from=sender.example; "`).Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"pass in quotes beside a true one":             {says("one.example", `mx; spf=none smtp.mailfrom="; dmarc=pass header.from=x"; dmarc=pass header.from=sender.example`).Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"quotes that do not end":                       {says("one.example", good+`; spf=none smtp.mailfrom="x`).Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"a comment that does not end":                  {says("one.example", good+"; spf=none (x").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"no authserv-id":                               {says("one.example", "dmarc=pass header.from=sender.example").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"bestguesspass":                                {says("one.example", "mx; dmarc=bestguesspass header.from=sender.example").Seal(plain), "sender.example", []string{"one.example"}, true, false},
		"as one large sealer writes it":                {says("one.example", "mx.one.example 1; spf=pass (sender ip is 192.0.2.1)\r\n smtp.mailfrom=sender.example; dmarc=pass (p=none sp=none pct=100) action=none header.from=Sender.Example; dkim=pass (signature was verified) header.d=sender.example; arc=pass (0 oda=1 ltdi=1 dmarc=[1,1,header.from=sender.example])").Seal(plain), "sender.example", []string{"one.example"}, true, true},
		"as another does":                              {says("one.example", `mx.one.example; dkim=pass header.i=@sender.example header.s=s1 header.b="ab/d+e="; spf=pass (one.example: domain of ann@sender.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=ann@sender.example; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=sender.example`).Seal(plain), "sender.example", []string{"one.example"}, true, true},
	} {
		trusted, vouched := trust(t, c.message, c.author, c.sealers...)
		if trusted != c.trusted || vouched != c.vouched {
			t.Errorf("%s: trusted %v, vouched %v", rule, trusted, vouched)
		}
	}
}
