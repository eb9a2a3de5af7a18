package dns

import (
	"context"
	"net"
	"net/netip"
	"sort"
	"strings"
	"sync"

	mdns "github.com/miekg/dns"
)

// records answers one question. The error in its answer is a bare *net.DNSError.
type records interface {
	records(ctx context.Context, q question) answer
}

// question is what is asked for; the name is canonical.
type question struct {
	name  string
	qtype uint16
}

// lookups makes a Resolver of something that answers single questions.
type lookups struct{ source records }

func (l lookups) ask(ctx context.Context, name string, qtype uint16) ([]mdns.RR, error) {
	a := l.fetch(ctx, name, qtype)
	tell(ctx, name, qtype, &a)
	return a.rrs, a.err
}

func (l lookups) fetch(ctx context.Context, name string, qtype uint16) answer {
	asked, ok := canonical(name, true)
	if !ok {
		// What can't be a name has no records, and no server needs to be asked.
		return answer{err: noDomain(name), impossible: true}
	}
	return l.source.records(ctx, question{asked, qtype})
}

// tell notes an answer for whom it concerns.
func tell(ctx context.Context, name string, qtype uint16, a *answer) {
	if !a.impossible {
		observe(ctx, a)
	}
	say(ctx, name, qtype, a)
}

// LookupTXT gives the TXT records of name, each with its strings joined.
func (l lookups) LookupTXT(ctx context.Context, name string) ([]string, error) {
	rrs, err := l.ask(ctx, name, mdns.TypeTXT)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, rr := range rrs {
		if txt, ok := rr.(*mdns.TXT); ok {
			texts = append(texts, unescape(strings.Join(txt.Txt, "")))
		}
	}
	return texts, nil
}

// LookupMX gives the mail exchangers of name by preference. A null MX (RFC 7505) is
// one with the host ".".
func (l lookups) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	rrs, err := l.ask(ctx, name, mdns.TypeMX)
	if err != nil {
		return nil, err
	}
	var mxs []*net.MX
	for _, rr := range rrs {
		if mx, ok := rr.(*mdns.MX); ok {
			mxs = append(mxs, &net.MX{Host: mx.Mx, Pref: mx.Preference})
		}
	}
	sort.SliceStable(mxs, func(i, j int) bool { return mxs[i].Pref < mxs[j].Pref })
	return mxs, nil
}

// LookupIPAddr gives the addresses of both families. When one of the two questions
// stays open the whole is open: half an answer could make an SPF fail.
func (l lookups) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	four, six := l.both(ctx, name)
	tell(ctx, name, mdns.TypeA, &four)
	tell(ctx, name, mdns.TypeAAAA, &six)
	for _, err := range []error{four.err, six.err} {
		if err != nil && !IsNotFound(err) {
			return nil, err
		}
	}
	var addrs []net.IPAddr
	for _, ip := range append(addresses(four.rrs), addresses(six.rrs)...) {
		addrs = append(addrs, net.IPAddr{IP: ip.AsSlice()})
	}
	if len(addrs) == 0 {
		if four.err == nil || IsNoDomain(six.err) {
			return nil, six.err
		}
		return nil, four.err
	}
	return addrs, nil
}

// both asks for both families at the same time.
func (l lookups) both(ctx context.Context, name string) (four, six answer) {
	if fromMemory(ctx) != nil {
		return l.fetch(ctx, name, mdns.TypeA), l.fetch(ctx, name, mdns.TypeAAAA)
	}
	var panicked any
	var wait sync.WaitGroup
	wait.Go(func() {
		defer func() { panicked = recover() }() // for the caller, who may catch it
		six = l.fetch(ctx, name, mdns.TypeAAAA)
	})
	four = l.fetch(ctx, name, mdns.TypeA)
	wait.Wait()
	if panicked != nil {
		panic(panicked)
	}
	return four, six
}

// LookupNetIP gives the addresses of one family: "ip4" or "ip6".
func (l lookups) LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error) {
	qtype := mdns.TypeA
	if network == "ip6" {
		qtype = mdns.TypeAAAA
	}
	rrs, err := l.ask(ctx, name, qtype)
	if err != nil {
		return nil, err
	}
	return addresses(rrs), nil
}

func addresses(rrs []mdns.RR) (ips []netip.Addr) {
	for _, rr := range rrs {
		var ip net.IP
		switch rr := rr.(type) {
		case *mdns.A:
			ip = rr.A.To4()
		case *mdns.AAAA:
			ip = rr.AAAA.To16()
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			ips = append(ips, addr)
		}
	}
	return ips
}

// LookupAddr gives the names that the address's PTR records hold, each with a final
// dot.
func (l lookups) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, noDomain(addr)
	}
	reverse, err := mdns.ReverseAddr(ip.Unmap().WithZone("").String())
	if err != nil {
		return nil, noDomain(addr)
	}
	rrs, err := l.ask(ctx, reverse, mdns.TypePTR)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, rr := range rrs {
		if ptr, ok := rr.(*mdns.PTR); ok {
			names = append(names, ptr.Ptr)
		}
	}
	return names, nil
}

// familyResolver is a Resolver that can ask for one address family alone.
type familyResolver interface {
	LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error)
}

// LookupNetIP asks r for the addresses of one family ("ip4" or "ip6"), with a single
// question where r can do that.
func LookupNetIP(ctx context.Context, r Resolver, network, name string) ([]netip.Addr, error) {
	if f, ok := r.(familyResolver); ok {
		return f.LookupNetIP(ctx, network, name)
	}
	all, err := r.LookupIPAddr(ctx, name)
	if err != nil {
		return nil, err
	}
	var ips []netip.Addr
	for _, a := range all {
		ip, ok := netip.AddrFromSlice(a.IP)
		if ip = ip.Unmap(); ok && ip.Is4() == (network == "ip4") {
			ips = append(ips, ip)
		}
	}
	if len(ips) == 0 {
		return nil, noData(name)
	}
	return ips, nil
}

// unescape undoes the master-file escapes that the DNS library leaves in strings.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		if i+3 < len(s) && digit(s[i+1]) && digit(s[i+2]) && digit(s[i+3]) {
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+(s[i+3]-'0'))
			i += 3
			continue
		}
		i++
		b = append(b, s[i])
	}
	return string(b)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
