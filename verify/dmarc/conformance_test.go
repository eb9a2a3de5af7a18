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
		Policy string `json:"policy"`
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

func TestConformance(t *testing.T) {
	data, err := os.ReadFile("../../../shared/corpora/dmarc-rfc9989/vectors.json")
	if err != nil {
		t.Skip("../shared/corpora/dmarc-rfc9989 is not here: ", err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
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
			for _, name := range r.names {
				if !slices.Contains(v.Queries, name) {
					t.Errorf("asked for %s, which is no part of the walk", name)
				}
			}
		})
	}
}
