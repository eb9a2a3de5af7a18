package dns

import (
	"time"

	mdns "github.com/miekg/dns"
)

// Limits of what is believed of a time to live.
const (
	maxTTL         = time.Hour
	maxNegativeTTL = 5 * time.Minute
)

// reading is what a server's message says to a question.
type reading struct {
	answer
	ttl time.Duration
	// dangling says that the aliases lead to a name of which the message says nothing:
	// it has to be asked for.
	dangling bool
	// fault is why the message is no answer, in an operator's words.
	fault string
}

// read takes from a message what answers the question. Its response code is NOERROR or
// NXDOMAIN.
func read(m *mdns.Msg, q question) (r reading) {
	exists := m.Rcode == mdns.RcodeSuccess
	found, end, ok := chain(m.Answer, q.name, q.qtype)
	if !ok {
		r.fault = "its aliases (CNAME) go in a circle, or are more than 8"
		return r
	}
	if end != q.name {
		r.alias = end
	}
	r.dangling = exists && r.alias != "" && len(found) == 0 && !hasSOA(m)
	r.ttl = lifetime(m, len(found) == 0 && !r.dangling)
	r.authentic = m.AuthenticatedData
	for _, rr := range found {
		r.wire += mdns.Len(rr)
	}
	switch {
	case len(found) > 0:
		r.rrs = found
	case !exists:
		r.err = noDomain(q.name)
	case r.dangling:
	case referral(m):
		r.fault = "it only refers to other servers: it is not recursive"
	default:
		r.err = noData(q.name)
	}
	return r
}

// referral reports whether an empty message sends us elsewhere (RFC 1034 4.3.1), or
// comes from a server that has nothing to do with the name: it says neither that it
// recurses nor that it is an authority.
func referral(m *mdns.Msg) bool {
	if m.Authoritative || hasSOA(m) {
		return false
	}
	if !m.RecursionAvailable {
		return true
	}
	for _, rr := range m.Ns {
		if rr.Header().Rrtype == mdns.TypeNS {
			return true
		}
	}
	return false
}

func hasSOA(m *mdns.Msg) bool {
	for _, rr := range m.Ns {
		if rr.Header().Rrtype == mdns.TypeSOA {
			return true
		}
	}
	return false
}

// lifetime says how long an answer may be remembered (RFC 1035 3.2.1, RFC 2308 5).
func lifetime(m *mdns.Msg, negative bool) time.Duration {
	ttl, limit := uint32(0), maxTTL
	known := false
	lower := func(t uint32) {
		if !known || t < ttl {
			ttl, known = t, true
		}
	}
	for _, rr := range m.Answer {
		lower(rr.Header().Ttl)
	}
	if negative {
		limit = maxNegativeTTL
		soa := false
		for _, rr := range m.Ns {
			if s, ok := rr.(*mdns.SOA); ok {
				lower(min(s.Hdr.Ttl, s.Minttl))
				soa = true
			}
		}
		if !soa {
			return 0 // without it a server vouches for nothing
		}
	}
	if ttl > 1<<31-1 {
		return 0 // RFC 2181 8
	}
	return min(time.Duration(ttl)*time.Second, limit)
}
