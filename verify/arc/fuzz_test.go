package arc_test

import (
	"context"
	"strings"
	"testing"

	"mxhook/verify/arc"
	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
)

// FuzzSets: whatever the header holds, the result is one of those there are, only a
// chain that passes has sealers or trust, and nothing in a reason breaks a line.
func FuzzSets(f *testing.F) {
	for _, message := range []string{three(), forgedChain(2), forgedChain(51), plain} {
		header, _, _ := strings.Cut(message, "\r\n\r\n")
		f.Add(header)
	}
	z := zone(f)
	trust := arc.NewSealers([]string{"one.example", "two.example", "three.example"})
	f.Fuzz(func(t *testing.T, header string) {
		content := strings.NewReader(header + "\r\n\r\nHello.\r\n")
		fields, body, err := dkim.ReadHeader(content, content.Size())
		if err != nil {
			return
		}
		ctx := context.Background()
		c := arc.Read(fields, now)
		c.FetchNewest(ctx, dns.WithBudget(z, 2))
		dkim.Verify(ctx, ctx, z, dkim.Message{Header: fields, Content: content, Body: body, Size: content.Size()}, now, c.Bodies()...)
		e := c.Evaluate(ctx, z)
		trusted, vouched := c.Trust(trust, "sender.example")
		switch e.Result {
		case authres.Pass:
			if len(e.Sealers) != e.Length || e.Reason != "" || e.OldestPass < 0 || e.OldestPass > e.Length {
				t.Errorf("%+v", e)
			}
		case authres.None, authres.Fail:
			if len(e.Sealers) > 0 || trusted || vouched || (e.Result == authres.Fail) != (e.Reason != "") {
				t.Errorf("%+v, trusted %v, vouched %v", e, trusted, vouched)
			}
		default:
			t.Errorf("%+v", e)
		}
		if strings.ContainsAny(e.Reason, "\r\n") {
			t.Errorf("reason %q", e.Reason)
		}
	})
}
