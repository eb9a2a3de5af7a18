package dkim

import (
	"context"
	"strings"
	"testing"

	"mxhook/verify/dns"
	"mxhook/verify/why"
)

func TestKeysAreToldInTheOrderOfTheSignatures(t *testing.T) {
	z, err := dns.ParseZone("")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	var checks []*Check
	for _, s := range []string{"c", "a", "d", "b", "a", "e"} {
		checks = append(checks, &Check{signature: &signature{selector: s, domain: "sender.example"}})
		if line := "DNS TXT " + s + "._domainkey.sender.example: NXDOMAIN"; s != "a" || len(want) < 2 {
			want = append(want, line)
		}
	}
	for range 20 {
		for _, c := range checks {
			c.key, c.keyProblem = nil, nil
		}
		notes := why.New()
		FetchKeys(why.Section(why.With(context.Background(), notes), "DKIM"), z, checks)
		var b strings.Builder
		if _, err := notes.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")[1:]
		for i := range max(len(lines), len(want)) {
			if len(lines) != len(want) || !strings.Contains(lines[i], want[i]) {
				t.Fatalf("%s\nwant %q", b.String(), want)
			}
		}
	}
}
