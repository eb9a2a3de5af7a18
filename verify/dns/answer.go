package dns

import (
	"strings"
	"time"

	mdns "github.com/miekg/dns"
)

// answer is what is known of one question: the records at the end of its alias chain,
// or why there are none.
type answer struct {
	rrs   []mdns.RR
	err   error  // a bare *net.DNSError, or nil
	alias string // the end of the alias chain; "" without aliases
	// authentic says that a resolver whose word counts has validated it.
	authentic bool
	expires   time.Time
	wire      int // octets, roughly

	// What is known of this one look-up.
	cached bool
	// impossible says that the name can't be one, and nobody was asked.
	impossible bool
	left       time.Duration // until it expires
	trail      []string      // what other servers had to say before, for people
}

// lives is the time to live of an answer that isn't cached, in whole seconds.
func (a *answer) lives(now time.Time) {
	if a.left = a.expires.Sub(now); a.left < 0 {
		a.left = 0
	}
}

// maxAliases is how long a chain of CNAME records may be.
const maxAliases = 8

// chain follows the aliases that begin at name through an answer section to the records
// of the type at their end. Others are no answer to the question. It is false for a
// chain that goes in a circle or is too long: nothing is known then.
func chain(rrs []mdns.RR, name string, qtype uint16) (found []mdns.RR, end string, ok bool) {
	end = name
	for range maxAliases + 1 {
		next := ""
		for _, rr := range rrs {
			h := rr.Header()
			if h.Class != mdns.ClassINET || h.Rrtype != qtype && h.Rrtype != mdns.TypeCNAME || !owns(h.Name, end) {
				continue
			}
			if h.Rrtype == qtype {
				found = append(found, rr)
			} else if alias, isAlias := rr.(*mdns.CNAME); isAlias {
				next, _ = owner(alias.Target) // the root, for one, is no name that we ask for
			}
		}
		if len(found) > 0 || next == "" {
			return found, end, true
		}
		end = next
	}
	return nil, end, false
}

// owns reports whether a name as the DNS library prints it is the canonical one.
func owns(printed, name string) bool {
	if strings.IndexByte(printed, '\\') < 0 {
		return strings.EqualFold(strings.TrimSuffix(printed, "."), name)
	}
	at, ok := owner(printed)
	return ok && at == name
}
