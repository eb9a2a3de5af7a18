package dmarc_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mxhook/verify/authres"
	"mxhook/verify/dmarc"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		rule, record string
		want         string // p sp np t psd adkim aspf, or why not
	}{
		{"all tags", "v=DMARC1; p=reject; sp=quarantine; np=none; t=y; psd=n; adkim=s; aspf=s", "reject quarantine none true n true true"},
		{"defaults", "v=DMARC1;p=quarantine", "quarantine quarantine quarantine false u false false"},
		{"np falls back to sp", "v=DMARC1; p=reject; sp=none", "reject none none false u false false"},
		{"blanks and other case", " v = DMARC1 ; P = Reject ; ", "reject reject reject false u false false"},
		{"tags in any order", "v=DMARC1; sp=none; p=reject", "reject none none false u false false"},
		{"pct, rf, ri and unknown tags mean nothing", "v=DMARC1; pct=0; rf=x; ri=-1; zz; =; p=reject", "reject reject reject false u false false"},
		{"unknown values of other tags are defaults", "v=DMARC1; p=none; adkim=x; psd=q; t=maybe", "none none none false u false false"},
		{"a tag twice counts once", "v=DMARC1; p=reject; p=none", "reject reject reject false u false false"},
		{"a bad policy with an address asks for none", "v=DMARC1; p=rejekt; rua=mailto:a@b.example", "none none none false u false false"},
		{"a missing policy with an address asks for none", "v=DMARC1; rua=mailto:a@b.example", "none none none false u false false"},
		{"a bad sp with an address asks for none", "v=DMARC1; p=reject; sp=x; rua=mailto:a@b.example", "none none none false u false false"},
		{"a bad policy without an address is unusable", "v=DMARC1; p=rejekt", "unusable"},
		{"an address that is none", "v=DMARC1; p=rejekt; rua=https://b.example", "unusable"},
		{"an address without a scheme", "v=DMARC1; p=rejekt; rua=a@b.example", "unusable"},
		{"a scheme without an address", "v=DMARC1; p=rejekt; rua=mailto:,mailto:@b.example,mailto:a@", "unusable"},
		{"one good address of several", "v=DMARC1; p=rejekt; rua=https://b.example, MAILTO:a@b.example!10m", "none none none false u false false"},
		{"a bad np with an address asks for none", "v=DMARC1; p=reject; np=; rua=mailto:a@b.example; adkim=S", "none none none false u true false"},
		{"values without regard to case", "v=DMARC1; p=Reject; sp=NONE; t=Y; psd=N; aspf=S", "reject none none true n false true"},
		{"v must be first", "p=reject; v=DMARC1", "no record"},
		{"v in just this spelling", "v=dmarc1; p=reject", "no record"},
		{"another version", "v=DMARC2; p=reject", "no record"},
		{"something longer", "v=DMARC10; p=reject", "no record"},
		{"SPF", "v=spf1 -all", "no record"},
		{"nothing", "", "no record"},
	} {
		r, err := dmarc.Parse(c.record)
		got := "no record"
		if err == nil {
			got = strings.Join([]string{r.Policy, r.Subdomain, r.NonExistent, yes(r.Testing), r.PSD, yes(r.StrictDKIM), yes(r.StrictSPF)}, " ")
			if r.Unusable {
				got = "unusable"
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func zone(t testing.TB, text string) *dns.Zone {
	t.Helper()
	z, err := dns.ParseZone(text)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestDiscover(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		rule, zone, author             string
		domain, organizational, policy string
	}{
		{"no record", "", "a.example.com", "", "a.example.com", ""},
		{"its own record", `_dmarc.example.com TXT "v=DMARC1; p=reject"`, "example.com", "example.com", "example.com", "reject"},
		{"two records are none", "_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n_dmarc.example.com TXT \"v=DMARC1; p=none\"", "example.com", "", "example.com", ""},
		{"other texts beside it", "_dmarc.example.com TXT \"v=DMARC1; p=reject\"\n_dmarc.example.com TXT \"hello\"", "example.com", "example.com", "example.com", "reject"},
		{"sp for a name that exists", "_dmarc.example.com TXT \"v=DMARC1; p=reject; sp=none; np=quarantine\"\na.example.com A 192.0.2.1", "a.example.com", "example.com", "example.com", "none"},
		{"sp for a name with other records", "_dmarc.example.com TXT \"v=DMARC1; p=reject; sp=none; np=quarantine\"\na.example.com MX 1 mx.example.", "a.example.com", "example.com", "example.com", "none"},
		{"np for a name that does not", `_dmarc.example.com TXT "v=DMARC1; p=reject; sp=none; np=quarantine"`, "a.example.com", "example.com", "example.com", "quarantine"},
		{"t=y weakens reject", `_dmarc.example.com TXT "v=DMARC1; p=reject; t=y"`, "example.com", "example.com", "example.com", "quarantine"},
		{"t=y weakens quarantine", `_dmarc.example.com TXT "v=DMARC1; p=quarantine; t=y"`, "example.com", "example.com", "example.com", "none"},
		{"the shortest name is the organization", "_dmarc.a.example.com TXT \"v=DMARC1; p=none\"\n_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "a.example.com", "a.example.com", "example.com", "none"},
		{"the organization's record before those between", "_dmarc.b.example.com TXT \"v=DMARC1; p=none\"\n_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "a.b.example.com", "example.com", "example.com", "reject"},
		{"psd=n ends the walk", "_dmarc.b.example.com TXT \"v=DMARC1; p=none; psd=n\"\n_dmarc.example.com TXT \"v=DMARC1; p=reject\"", "a.b.example.com", "b.example.com", "b.example.com", "none"},
		{"below a public suffix", `_dmarc.bank TXT "v=DMARC1; p=reject; psd=y"`, "mail.giant.bank", "bank", "giant.bank", "reject"},
		{"a public suffix as author", `_dmarc.bank TXT "v=DMARC1; p=reject; psd=y"`, "bank", "bank", "bank", "reject"},
		{"an unusable record is no policy", `_dmarc.example.com TXT "v=DMARC1; p=x"`, "example.com", "", "example.com", ""},
		{"a name that is too long to ask", "", strings.Repeat("a.", 123) + "example", "", strings.Repeat("a.", 123) + "example", ""},
	} {
		p, err := dmarc.Discover(ctx, zone(t, c.zone), c.author)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if p.Domain != c.domain || p.Organizational != c.organizational || p.Applied != c.policy || (p.Record == nil) != (c.domain == "") {
			t.Errorf("%s: %+v", c.rule, p)
		}
	}
}

func TestTheWalkAsksEightNamesAtMost(t *testing.T) {
	r := &recorder{Zone: zone(t, "")}
	author := strings.Repeat("a.", 100) + "example"
	if _, err := dmarc.Discover(context.Background(), r, author); err != nil {
		t.Fatal(err)
	}
	if len(r.names) != dmarc.MaxQueries || r.names[0] != "_dmarc."+author || r.names[7] != "_dmarc.example" || r.names[1] != "_dmarc.a.a.a.a.a.a.example" {
		t.Errorf("%d: %q", len(r.names), r.names)
	}
}

func TestAlignment(t *testing.T) {
	ctx := context.Background()
	z := zone(t, `
_dmarc.example.com TXT "v=DMARC1; p=reject"
_dmarc.own.example.com TXT "v=DMARC1; p=reject; psd=n"
_dmarc.strict.example TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
_dmarc.bank TXT "v=DMARC1; p=reject; psd=y"
`)
	for _, c := range []struct {
		rule, author, domain string
		want                 bool
	}{
		{"the same", "example.com", "example.com", true},
		{"below", "example.com", "mail.example.com", true},
		{"above", "mail.example.com", "example.com", true},
		{"beside", "a.example.com", "b.example.com", true},
		{"another", "example.com", "example.org", false},
		{"the same letters at the end", "example.com", "evilexample.com", false},
		{"an organization of its own", "example.com", "own.example.com", false},
		{"strict, below", "strict.example", "mail.strict.example", false},
		{"strict, the same", "strict.example", "strict.example", true},
		{"siblings under a public suffix", "giant.bank", "tiny.bank", false},
		{"the public suffix itself", "giant.bank", "bank", false},
		{"no record, the same", "x.org", "x.org", true},
		{"no record, below", "x.org", "a.x.org", false},
		{"a domain that could not be read", "example.com", "", false},
	} {
		p, err := dmarc.Discover(ctx, z, c.author)
		if err != nil {
			t.Fatal(err)
		}
		for name, aligned := range map[string]func(context.Context, dns.Resolver, string) (bool, error){"spf": p.SPFAligned, "dkim": p.DKIMAligned} {
			if got, err := aligned(ctx, z, c.domain); got != c.want || err != nil {
				t.Errorf("%s (%s): %v, %v", c.rule, name, got, err)
			}
		}
	}
}

func TestAnOpenQuestionIsNeverAnAnswer(t *testing.T) {
	ctx := context.Background()
	z := zone(t, `
_dmarc.example.com TXT "v=DMARC1; p=reject; sp=none; np=reject"
`)
	z.Timeout("_dmarc.org")
	if _, err := dmarc.Discover(ctx, z, "x.org"); !errors.Is(err, dmarc.ErrTemporary) {
		t.Errorf("policy: %v", err)
	}
	z.ServFail("new.example.com")
	p, err := dmarc.Discover(ctx, z, "new.example.com")
	if err != nil || p.Applied != "" || p.Domain != "example.com" {
		t.Errorf("existence: %+v, %v", p, err)
	}
	if result, disposition := p.Evaluate(false, false); result != authres.TempError || disposition != dmarc.None {
		t.Errorf("existence: %s, %s", result, disposition)
	}
	if result, _ := p.Evaluate(true, false); result != authres.Pass {
		t.Errorf("a pass needs no policy: %s", result)
	}
	p, err = dmarc.Discover(ctx, z, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	z.ServFail("_dmarc.mail.example.com")
	if _, err := p.DKIMAligned(ctx, z, "mail.example.com"); !errors.Is(err, dmarc.ErrTemporary) {
		t.Errorf("alignment: %v", err)
	}
	if result, disposition := p.Evaluate(false, true); result != authres.TempError || disposition != dmarc.None {
		t.Errorf("%s, %s", result, disposition)
	}
}

// TestAnOpenQuestionAnywhereInTheWalk lets each name of the walk fail in turn.
func TestAnOpenQuestionAnywhereInTheWalk(t *testing.T) {
	ctx := context.Background()
	const records = "_dmarc.a.b.example.com TXT \"v=DMARC1; p=reject\"\n_dmarc.example.com TXT \"v=DMARC1; p=none; sp=quarantine\"\n"
	for _, c := range []struct {
		rule, author, open string
		err                error
		applied            string
		aligned            map[string]string // domain to yes, no, open
	}{
		{"its own name", "a.b.example.com", "_dmarc.a.b.example.com", dmarc.ErrTemporary, "", nil},
		{"above its own record", "a.b.example.com", "_dmarc.b.example.com", nil, "reject", map[string]string{"a.b.example.com": "yes", "b.example.com": "open", "x.com": "open", "x.org": "no"}},
		{"the top level", "a.b.example.com", "_dmarc.com", nil, "reject", map[string]string{"a.b.example.com": "yes", "example.com": "open", "example.org": "no"}},
		{"between it and the organization", "c.b.example.com", "_dmarc.b.example.com", dmarc.ErrTemporary, "", nil},
		{"the organization", "c.b.example.com", "_dmarc.example.com", dmarc.ErrTemporary, "", nil},
		{"above the organization", "c.b.example.com", "_dmarc.com", dmarc.ErrTemporary, "", nil},
		{"its own name, which has no record", "c.b.example.com", "_dmarc.c.b.example.com", dmarc.ErrTemporary, "", nil},
		{"the other domain's", "example.com", "_dmarc.x.example.com", nil, "none", map[string]string{"x.example.com": "open", "y.example.com": "yes", "example.com": "yes", "x.org": "no"}},
	} {
		z := zone(t, records)
		z.ServFail(c.open)
		p, err := dmarc.Discover(ctx, z, c.author)
		if !errors.Is(err, c.err) || p.Applied != c.applied {
			t.Errorf("%s: %+v, %v", c.rule, p, err)
			continue
		}
		for domain, want := range c.aligned {
			got := "no"
			switch ok, err := p.DKIMAligned(ctx, z, domain); {
			case err != nil:
				got = "open"
			case ok:
				got = "yes"
			}
			if got != want {
				t.Errorf("%s: %s is aligned: %s, want %s", c.rule, domain, got, want)
			}
		}
	}
}

func TestEachNameIsAskedOnceForAMessage(t *testing.T) {
	ctx := context.Background()
	asked := map[string]int{}
	r := counting{zone(t, `_dmarc.example.com TXT "v=DMARC1; p=reject"`), asked}
	p, err := dmarc.Discover(ctx, r, "a.b.c.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"x.b.c.example.com", "b.c.example.com", "x.b.c.example.com", "example.com"} {
		if ok, err := p.DKIMAligned(ctx, r, d); !ok || err != nil {
			t.Errorf("%s: %v, %v", d, ok, err)
		}
	}
	if len(asked) != 6 {
		t.Errorf("%v", asked)
	}
	for name, n := range asked {
		if n != 1 {
			t.Errorf("%s is asked for %d times", name, n)
		}
	}
}

type counting struct {
	*dns.Zone
	asked map[string]int
}

func (c counting) LookupTXT(ctx context.Context, name string) ([]string, error) {
	c.asked[name]++
	return c.Zone.LookupTXT(ctx, name)
}

func TestReportingAddressesAreShownAsWrittenAndBounded(t *testing.T) {
	r, err := dmarc.Parse("v=DMARC1; p=none; rua= mailto:Agg@Example.COM!10m , https://b.example/r?a=1 ,,nothing, :x; ruf=mailto:f@\r\nx.example\x1b[2J,mailto:" + strings.Repeat("a", 600) + "@b")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"mailto:Agg@Example.COM!10m", "https://b.example/r?a=1"}; !slices.Equal(r.Aggregate, want) {
		t.Errorf("%q, want %q", r.Aggregate, want)
	}
	if want := []string{"mailto:f@??x.example?[2J"}; !slices.Equal(r.Failure, want) {
		t.Errorf("%q, want %q", r.Failure, want)
	}
	if r, _ = dmarc.Parse("v=DMARC1; p=none; rua=" + strings.Repeat("mailto:a@b.example,", 500)); len(r.Aggregate) != 20 {
		t.Errorf("%d addresses", len(r.Aggregate))
	}
}

func TestEveryStepOfTheWalkIsReasoned(t *testing.T) {
	z := zone(t, "_dmarc.example.com TXT \"v=DMARC1; p=reject; sp=none; np=quarantine; t=y\"\n_dmarc.b.example.com TXT \"v=DMARC1; p=none\"\n_dmarc.b.example.com TXT \"v=DMARC1; p=reject\"\n_dmarc.other.example.com TXT \"v=DMARC1; p=none; psd=n\"")
	notes := why.New()
	ctx := why.Section(why.With(context.Background(), notes), "DMARC")
	p, err := dmarc.Discover(ctx, z, "a.b.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"a.b.example.com", "example.com", "x.other.example.com", "x.org"} {
		p.DKIMAligned(ctx, z, d)
	}
	var b strings.Builder
	notes.WriteTo(&b)
	for _, want := range []string{
		"tree walk from a.b.example.com", "DNS TXT _dmarc.a.b.example.com: NXDOMAIN", "_dmarc.b.example.com has 2 records", `DNS TXT _dmarc.example.com: "v=DMARC1; p=reject; sp=none`,
		"DNS TXT _dmarc.com: NXDOMAIN", "the organizational domain is example.com", "the policy is quarantine: np of example.com, since a.b.example.com does not exist",
		"the next weaker one applies: none", "a.b.example.com is the author's domain: aligned", "example.com and the author's domain have the organizational domain example.com: aligned",
		"psd=n ends the walk", "the organizational domain of x.other.example.com is other.example.com, not example.com: not aligned", "x.org is not within example.com: not aligned",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("v=DMARC1; p=reject; rua=mailto:a@b,mailto:c@d!10m")
	f.Add("v=DMARC1;;;p")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := dmarc.Parse(text)
		if err != nil {
			return
		}
		for _, p := range []string{r.Policy, r.Subdomain, r.NonExistent} {
			if !r.Unusable && p != dmarc.None && p != dmarc.Quarantine && p != dmarc.Reject {
				t.Fatalf("policy %q", p)
			}
		}
	})
}
