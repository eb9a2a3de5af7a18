package spf_test

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"mxhook/verify/authres"
	"mxhook/verify/spf"
)

// BenchmarkCheck evaluates what a large sender publishes: a record with two includes,
// each with twelve ranges, of which the last one matches.
func BenchmarkCheck(b *testing.B) {
	ranges := func(net int) string {
		var s strings.Builder
		for i := range 12 {
			s.WriteString(" ip4:203.0." + strconv.Itoa(net+i) + ".0/24")
		}
		return s.String()
	}
	z := zone(b, `
sender.example TXT "v=spf1 include:_spf1.sender.example include:_spf2.sender.example ~all"
_spf1.sender.example TXT "v=spf1`+ranges(1)+` ~all"
_spf2.sender.example TXT "v=spf1`+ranges(101)+` ~all"
`)
	ip := netip.MustParseAddr("203.0.112.7")
	b.ReportAllocs()
	for b.Loop() {
		if e := spf.Check(context.Background(), z, from(ip, "mail.sender.example"), "ann", "sender.example"); e.Result != authres.Pass {
			b.Fatal(e)
		}
	}
}
