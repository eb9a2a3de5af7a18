package spf_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mxhook/verify/spf"
)

func TestConformance(t *testing.T) {
	files := corpora(t)
	if len(files) == 0 {
		t.Skip("neither ../shared/corpora/spf-rfc7208 nor the source of blitiri.com.ar/go/spf is here")
	}
	for _, file := range files {
		t.Run(file.label, func(t *testing.T) {
			total, agreed := 0, 0
			for _, s := range file.scenarios {
				z := s.zone.zone(t)
				for _, c := range s.cases {
					total++
					e := spf.Check(context.Background(), z, c.client(t), c.Local, c.Domain)
					good := slices.Contains(c.want, string(e.Result)) && (!c.noExplanation || e.Explanation == "") &&
						// %{i} of IPv6 may be in either case.
						(c.explanation == "" || strings.EqualFold(e.Explanation, c.explanation))
					reason, known := deviations[c.Name]
					switch {
					case good && known:
						t.Errorf("%s agrees now: take it out of the table", c.Name)
					case good:
						agreed++
					case !known:
						t.Errorf("%s: %s (%s) %q, want %v %q", c.Name, e.Result, e.Reason, e.Explanation, c.want, c.explanation)
					default:
						t.Logf("%s: %s, want %v: %s", c.Name, e.Result, c.want, reason)
					}
				}
			}
			t.Logf("%d of %d cases agree", agreed, total)
		})
	}
}

func (c trial) client(t testing.TB) spf.Client {
	t.Helper()
	ip, err := netip.ParseAddr(c.IP)
	if err != nil {
		t.Fatal(err)
	}
	return from(ip, c.HELO)
}

const (
	openDoubt  = "RFC 7208 5.5 passes over a name server that doesn't answer about the client's names; here nothing but pass rests on that"
	neverAdopt = "a modifier that was proposed and never adopted"
	questions  = "it needs 40 questions: MaxQuestions is 30"
)

// deviations are the cases where our result is another one, and why. The test fails when
// one of them agrees, so that the table stays true.
var deviations = map[string]string{
	"default-modifier":                    neverAdopt,
	"default-modifier-harsh":              neverAdopt,
	"mx-resolution-10-terms":              questions,
	"mx-resolution-11-terms":              questions,
	"broken-ptr-forward":                  openDoubt,
	"ptr-reverse-lookup-error":            openDoubt,
	"all.yml/0/10.0.0.1/test.org":         "\"ip:\" is no mechanism, and a fault behind \"all\" is a fault too (RFC 7208 4.6)",
	"exists.yml/0/167.1.2.3/ip6.test.org": "\"exists\" asks for IPv4 addresses alone (RFC 7208 5.7)",
	"ip.yml/1/10.1.2.3/test.org":          "an IPv4-mapped range in \"ip6\" holds no IPv4 client (RFC 7208 5)",
}
