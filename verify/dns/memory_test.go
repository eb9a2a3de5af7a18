package dns_test

import (
	"context"
	"testing"

	"mxhook/verify/dns"
	"mxhook/verify/why"
)

func TestWhatIsRememberedIsThereWithoutAsking(t *testing.T) {
	z, err := dns.ParseZone("a.example TXT one\nb.example A 192.0.2.1\nb.example AAAA 2001:db8::1\n")
	if err != nil {
		t.Fatal(err)
	}
	server := dns.NewServer(z)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := dns.WithBudget(dns.New(dns.Config{Servers: []string{server.Addr()}}), 9)
	method := func(ctx context.Context) error {
		_, errTXT := dns.WithBudget(r, 5).LookupTXT(ctx, "a.example")
		if _, err := r.LookupIPAddr(ctx, "b.example"); err != nil {
			return err
		}
		return errTXT
	}
	var got error
	if dns.FromMemory(ctx, r, func(ctx context.Context) { got = method(ctx) }) || !dns.IsTemporary(got) {
		t.Errorf("nothing is known yet, but: %v", got)
	}
	if err := method(ctx); err != nil {
		t.Error(err)
	}
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
	for range 2 { // three questions each: the void attempt has cost nothing
		if !dns.FromMemory(ctx, r, func(ctx context.Context) { got = method(ctx) }) || got != nil {
			t.Errorf("all is known, but: %v", got)
		}
	}
	if err := method(ctx); !dns.IsOverBudget(err) {
		t.Errorf("the tenth question: %v", err)
	}
	if dns.FromMemory(why.With(ctx, why.New()), r, func(context.Context) { t.Error("called, though somebody asks why") }) ||
		dns.FromMemory(ctx, z, func(context.Context) { t.Error("called for a zone") }) {
		t.Error("that was not from memory")
	}
}
