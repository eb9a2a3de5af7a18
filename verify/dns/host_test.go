package dns_test

import (
	"bytes"
	"context"
	"testing"

	"mxhook/verify/dns"
)

const hostZone = `
mx.example. A 192.0.2.1
alias.example. CNAME MX.example.
_25._tcp.mx.example. TLSA 3 1 1 00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff
_25._tcp.mx.example. TLSA 2 0 0 ABCD
`

// TestHostRecords asks for TLSA and CNAME records, of a zone in memory and over the wire.
func TestHostRecords(t *testing.T) {
	zone, err := dns.ParseZone(hostZone)
	if err != nil {
		t.Fatal(err)
	}
	zone.Authenticate("_tcp.mx.example")
	server := dns.NewServer(zone)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Stop(context.Background())
	for name, r := range map[string]interface {
		LookupTLSA(ctx context.Context, name string) ([]dns.TLSA, error)
		LookupCNAME(ctx context.Context, name string) (string, error)
	}{"memory": zone, "wire": dns.New(dns.Config{Servers: []string{server.Addr()}})} {
		ctx, seen := dns.Observe(t.Context())
		got, err := r.LookupTLSA(ctx, "_25._tcp.mx.example.")
		if err != nil || len(got) != 2 || got[0].Usage != 3 || got[0].Selector != 1 || got[0].Matching != 1 || len(got[0].Data) != 32 ||
			got[1].Usage != 2 || !bytes.Equal(got[1].Data, []byte{0xab, 0xcd}) || !seen.Authenticated() {
			t.Errorf("%s: %v, %v, authenticated %v", name, got, err, seen.Authenticated())
		}
		if _, err := r.LookupTLSA(t.Context(), "_25._tcp.alias.example"); !dns.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
		if to, err := r.LookupCNAME(t.Context(), "Alias.example"); err != nil || to != "mx.example" {
			t.Errorf("%s: %q, %v", name, to, err)
		}
		if to, err := r.LookupCNAME(t.Context(), "mx.example"); !dns.IsNotFound(err) {
			t.Errorf("%s: %q, %v", name, to, err)
		}
	}
}
