package verify_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"mxhook/verify"
	"mxhook/verify/dns"
)

func TestSPFTellsWhatDecidedAndTheOwnersExplanation(t *testing.T) {
	z, err := dns.ParseZone(`
sender.example TXT "v=spf1 include:_spf.sender.example -all exp=why.sender.example"
_spf.sender.example TXT "v=spf1 ip4:192.0.2.1 -all"
why.sender.example TXT "%{i} is none of ours, says %{r}; ask (postmaster@%{d})"
mail.sender.example TXT "v=spf1 ?all"
`)
	if err != nil {
		t.Fatal(err)
	}
	z.Authenticate("sender.example")
	v := verify.New(verify.Config{Resolver: z, AuthservID: "mx.in.example"})
	check := func(ip, helo string) *verify.Results {
		return v.Verify(context.Background(), verify.Message{
			RemoteIP: netip.MustParseAddr(ip), HELO: helo, MailFromLocal: "ann", MailFromDomain: "sender.example",
			Content: strings.NewReader(plain), Size: int64(len(plain)),
		})
	}
	r := check("192.0.2.1", "mail.sender.example")
	if r.SPF.Mechanism != "include:_spf.sender.example" || r.SPF.Explanation != "" || !r.SPF.DNSSEC || r.SPFHelo.Mechanism != "?all" {
		t.Errorf("%+v, %+v", r.SPF, r.SPFHelo)
	}
	r = check("192.0.2.2", "mail.other.example")
	const explanation = "192.0.2.2 is none of ours, says mx.in.example; ask (postmaster@sender.example)"
	if r.SPF.Mechanism != "-all" || r.SPF.Explanation != explanation || !r.SPF.DNSSEC || r.SPFHelo.Mechanism != "" || r.SPFHelo.DNSSEC {
		t.Errorf("%+v, %+v", r.SPF, r.SPFHelo)
	}
	for _, text := range []string{r.Header, r.ReceivedSPF, r.SPF.Reason} {
		if strings.Contains(text, "ours") {
			t.Errorf("the explanation stands in %q", text)
		}
	}
}
