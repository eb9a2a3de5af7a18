package dns

import (
	"context"
	"fmt"
	"strings"
	"sync"

	mdns "github.com/miekg/dns"
)

// Zone is a Resolver that answers from records in memory: for tests and for a
// demonstration without a network. It knows one class, follows aliases, and answers
// with NXDOMAIN for every name that neither has records nor stands above one that
// has. Wildcards and delegations are not supported.
type Zone struct {
	lookups
	mu      sync.RWMutex
	rrs     map[string][]mdns.RR // by canonical owner
	names   map[string]bool      // owners and the names above them
	trouble map[string]trouble
}

type trouble int

const (
	servFail trouble = iota + 1
	timeout
)

// ParseZone reads records in master-file form (RFC 1035 5). Owners are absolute with
// or without a final dot; the default TTL is 300 s; $ORIGIN and $TTL work.
func ParseZone(text string) (*Zone, error) {
	z := &Zone{rrs: map[string][]mdns.RR{}, names: map[string]bool{}, trouble: map[string]trouble{}}
	z.lookups = lookups{z}
	p := mdns.NewZoneParser(strings.NewReader(text), ".", "")
	p.SetDefaultTTL(300)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		name, valid := owner(rr.Header().Name)
		if !valid {
			return nil, fmt.Errorf("dns: zone: bad owner %q", rr.Header().Name)
		}
		z.rrs[name] = append(z.rrs[name], rr)
		for ; name != ""; _, name, _ = strings.Cut(name, ".") {
			z.names[name] = true
		}
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("dns: zone: %w", err)
	}
	return z, nil
}

// ServFail makes every question about name fail as SERVFAIL does.
func (z *Zone) ServFail(name string) { z.harm(name, servFail) }

// Timeout makes every question about name fail as a time-out does, at once.
func (z *Zone) Timeout(name string) { z.harm(name, timeout) }

func (z *Zone) harm(name string, t trouble) {
	if at, ok := canonical(name, true); ok {
		z.mu.Lock()
		defer z.mu.Unlock()
		z.trouble[at] = t
	}
}

func (z *Zone) records(ctx context.Context, name string, qtype uint16) ([]mdns.RR, error) {
	if ctx.Err() != nil {
		return nil, timedOut(name)
	}
	rrs, t, exists := z.find(name, qtype)
	switch {
	case t == servFail:
		return nil, temporary(name, "server failure")
	case t == timeout:
		return nil, timedOut(name)
	}
	return follow(rrs, name, qtype, exists)
}

// find collects the alias chain of name and what stands at its end.
func (z *Zone) find(name string, qtype uint16) (rrs []mdns.RR, t trouble, exists bool) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	for range maxAliases {
		if t := z.trouble[name]; t != 0 {
			return nil, t, false
		}
		next := ""
		for _, rr := range z.rrs[name] {
			if rr.Header().Rrtype == qtype {
				rrs = append(rrs, rr)
			} else if alias, ok := rr.(*mdns.CNAME); ok {
				rrs = append(rrs, rr)
				next, _ = owner(alias.Target)
			}
		}
		exists = z.names[name]
		if next == "" || qtype == mdns.TypeCNAME {
			break
		}
		name = next
	}
	return rrs, 0, exists
}

// maxAliases is how long a chain of CNAME records may be.
const maxAliases = 8

// follow picks from an answer section the records of the type at the end of the
// chain that begins at name. Others are not an answer to the question.
func follow(rrs []mdns.RR, name string, qtype uint16, exists bool) ([]mdns.RR, error) {
	end := name
	for range maxAliases {
		var found []mdns.RR
		next := ""
		for _, rr := range rrs {
			at, ok := owner(rr.Header().Name)
			if !ok || at != end || rr.Header().Class != mdns.ClassINET {
				continue
			}
			if rr.Header().Rrtype == qtype {
				found = append(found, rr)
			} else if alias, ok := rr.(*mdns.CNAME); ok {
				next, _ = owner(alias.Target)
			}
		}
		if len(found) > 0 {
			return found, nil
		}
		if next == "" {
			break
		}
		end = next
	}
	if !exists {
		return nil, noDomain(name)
	}
	return nil, noData(name)
}
