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
	signed  map[string]bool // names at and below which all is authenticated
}

type trouble int

const (
	servFail trouble = iota + 1
	timeout
)

// ParseZone reads records in master-file form (RFC 1035 5). Owners are absolute with
// or without a final dot; the default TTL is 300 s; $ORIGIN and $TTL work.
func ParseZone(text string) (*Zone, error) {
	z := &Zone{rrs: map[string][]mdns.RR{}, names: map[string]bool{}, trouble: map[string]trouble{}, signed: map[string]bool{}}
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

// Authenticate makes all answers about name and the names below it authenticated, as
// if DNSSEC vouched for them; "." is for all names. An answer over aliases is
// authenticated if all of its names are.
func (z *Zone) Authenticate(name string) {
	at, _ := canonical(name, true) // "" for the root
	z.mu.Lock()
	defer z.mu.Unlock()
	z.signed[at] = true
}

func (z *Zone) records(ctx context.Context, q question) answer {
	if ctx.Err() != nil {
		return answer{err: timedOut(q.name, textLate)}
	}
	f := z.find(q.name, q.qtype)
	switch f.trouble {
	case servFail:
		return answer{err: temporary(q.name, "SERVFAIL by the zone in memory")}
	case timeout:
		return answer{err: timedOut(q.name, "the zone in memory is silent")}
	}
	m := &mdns.Msg{Answer: f.rrs}
	m.Authoritative, m.AuthenticatedData = true, f.signed
	if !f.exists {
		m.Rcode = mdns.RcodeNameError
	}
	z.deny(m, q)
	r := read(m, q)
	if r.fault != "" {
		return answer{err: temporary(q.name, r.fault)}
	}
	r.left = r.ttl
	return r.answer
}

// deny adds to an answer without records what says for how long that holds.
func (z *Zone) deny(m *mdns.Msg, q question) {
	if found, _, _ := chain(m.Answer, q.name, q.qtype); len(found) == 0 {
		m.Ns = []mdns.RR{&mdns.SOA{
			Hdr: mdns.RR_Header{Name: ".", Rrtype: mdns.TypeSOA, Class: mdns.ClassINET, Ttl: 60},
			Ns:  "ns.invalid.", Mbox: "hostmaster.invalid.", Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: 60,
		}}
	}
}

// finding is what a zone has for a question.
type finding struct {
	rrs     []mdns.RR
	trouble trouble
	exists  bool
	signed  bool
}

// find collects the alias chain of name and what stands at its end.
func (z *Zone) find(name string, qtype uint16) finding {
	z.mu.RLock()
	defer z.mu.RUnlock()
	f := finding{signed: true}
	for range maxAliases + 1 {
		if t := z.trouble[name]; t != 0 {
			return finding{trouble: t}
		}
		f.signed = f.signed && z.isSigned(name)
		next := ""
		for _, rr := range z.rrs[name] {
			if rr.Header().Rrtype == qtype {
				f.rrs = append(f.rrs, rr)
			} else if alias, ok := rr.(*mdns.CNAME); ok {
				f.rrs = append(f.rrs, rr)
				next, _ = owner(alias.Target)
			}
		}
		f.exists = z.names[name]
		if next == "" || qtype == mdns.TypeCNAME {
			break
		}
		name = next
	}
	return f
}

func (z *Zone) isSigned(name string) bool {
	for ; name != ""; _, name, _ = strings.Cut(name, ".") {
		if z.signed[name] {
			return true
		}
	}
	return z.signed[""]
}
