package dmarc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"mxhook/verify/dmarc"
	"mxhook/verify/dns"
)

// vector is one scenario: who authenticated, what the zone says, what comes of it.
type vector struct {
	Name   string            `json:"name"`
	From   string            `json:"from"`
	SPF    []string          `json:"spf"`
	DKIM   []string          `json:"dkim"`
	Zone   map[string]string `json:"zone"`
	Expect struct {
		Result string `json:"result"`
		Domain string `json:"domain"` // the organizational one
		Policy string `json:"policy"`
		P      string `json:"p"`
		SP     string `json:"sp"`
	} `json:"expect"`
	Queries []string `json:"queries"`
}

// recorder notes the names that are asked for.
type recorder struct {
	*dns.Zone
	mu    sync.Mutex
	names []string
}

func (r *recorder) LookupTXT(ctx context.Context, name string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.names, name) {
		r.names = append(r.names, name)
	}
	return r.Zone.LookupTXT(ctx, name)
}

// same holds the questions to those of the scenario, in their order.
func (r *recorder) same(t *testing.T, want []string) {
	t.Helper()
	if !slices.Equal(r.names, want) {
		t.Errorf("asked for %q, want %q", r.names, want)
	}
}

// TestConformance runs all scenarios of the set.
func TestConformance(t *testing.T) {
	data, err := os.ReadFile("../../../shared/corpora/dmarc-rfc9989/vectors.json")
	if err != nil {
		t.Skip("../shared/corpora/dmarc-rfc9989 is not here: ", err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 24 {
		t.Fatalf("%d scenarios are left of 24", len(vectors))
	}
	ctx := context.Background()
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			var text strings.Builder
			var broken []string
			for name, value := range v.Zone {
				switch value {
				case "A":
					fmt.Fprintf(&text, "%s A 192.0.2.1\n", name)
				case "SERVFAIL":
					broken = append(broken, name)
				default:
					fmt.Fprintf(&text, "%s TXT %q\n", name, value)
				}
			}
			z, err := dns.ParseZone(text.String())
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range broken {
				z.ServFail(name)
			}
			r := &recorder{Zone: z}
			author, _ := dns.Domain(v.From[strings.LastIndexByte(v.From, '@')+1:])
			p, err := dmarc.Discover(ctx, r, author)
			if err != nil {
				if v.Expect.Result != "temperror" {
					t.Fatalf("%v, want %s", err, v.Expect.Result)
				}
				r.same(t, v.Queries)
				return
			}
			aligned := false
			for _, d := range v.SPF {
				ok, err := p.SPFAligned(ctx, r, d)
				aligned = aligned || ok && err == nil
			}
			for _, d := range v.DKIM {
				ok, err := p.DKIMAligned(ctx, r, d)
				aligned = aligned || ok && err == nil
			}
			result, disposition := p.Evaluate(aligned, false)
			if string(result) != v.Expect.Result {
				t.Errorf("result %s, want %s", result, v.Expect.Result)
			}
			if p.Applied != v.Expect.Policy {
				t.Errorf("policy %q, want %q", p.Applied, v.Expect.Policy)
			}
			if want := v.Expect.Policy; result == "fail" && disposition != want {
				t.Errorf("disposition %q, want %q", disposition, want)
			}
			if p.Organizational != v.Expect.Domain {
				t.Errorf("organizational domain %s, want %s", p.Organizational, v.Expect.Domain)
			}
			if p.Record != nil && (p.Record.Policy != v.Expect.P || p.Record.Subdomain != v.Expect.SP) {
				t.Errorf("p %s sp %s, want %s %s", p.Record.Policy, p.Record.Subdomain, v.Expect.P, v.Expect.SP)
			}
			r.same(t, v.Queries)
		})
	}
}
