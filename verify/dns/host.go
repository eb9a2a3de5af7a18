package dns

import (
	"context"
	"encoding/hex"

	mdns "github.com/miekg/dns"
)

// TLSA is what a TLSA record says (RFC 6698 2.1).
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// LookupTLSA gives the TLSA records of name, such as _25._tcp.mx.example.com. They mean
// nothing unless DNSSEC vouches for them: see Observe. A record whose data is no
// hexadecimal number has none.
func (l lookups) LookupTLSA(ctx context.Context, name string) ([]TLSA, error) {
	rrs, err := l.ask(ctx, name, mdns.TypeTLSA)
	if err != nil {
		return nil, err
	}
	var all []TLSA
	for _, rr := range rrs {
		if r, ok := rr.(*mdns.TLSA); ok {
			data, err := hex.DecodeString(r.Certificate)
			if err != nil {
				data = nil
			}
			all = append(all, TLSA{r.Usage, r.Selector, r.MatchingType, data})
		}
	}
	return all, nil
}

// LookupCNAME gives the name that name is an alias of, without a final dot. A name that
// is no alias is not found.
func (l lookups) LookupCNAME(ctx context.Context, name string) (string, error) {
	rrs, err := l.ask(ctx, name, mdns.TypeCNAME)
	if err != nil {
		return "", err
	}
	for _, rr := range rrs {
		if alias, ok := rr.(*mdns.CNAME); ok {
			return plainName(alias.Target), nil
		}
	}
	return "", noData(name)
}
