package spf_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// randomScenarios makes zones and questions at random, the same ones for a seed: many
// small policies that name each other, most of them well-formed. With damage some have a
// character changed.
func randomScenarios(seed uint64, n int, damage bool) []scenario {
	g := generator{rand.New(rand.NewPCG(seed, 7208)), damage}
	var list []scenario
	for i := range n {
		s := g.scenario()
		for j := range s.cases {
			s.cases[j].Name = fmt.Sprintf("random %d.%d.%d", seed, i, j)
		}
		list = append(list, s)
	}
	return list
}

type generator struct {
	*rand.Rand
	damage bool
}

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// once is true one time in n.
func (g generator) once(n int) bool { return g.IntN(n) == 0 }

var (
	randomPolicies = []string{"a.example", "b.example", "c.example", "d.example", "_spf.a.example", "mail.b.example"}
	randomHosts    = []string{"h1.example", "h2.example", "mail.a.example", "www.b.example", "none.example"}
	randomIPs      = []string{"192.0.2.1", "192.0.2.77", "198.51.100.9", "2001:db8::1", "2001:db8:0:1::2", "::ffff:192.0.2.1"}
	randomReverse  = []string{
		"1.2.0.192.in-addr.arpa", "77.2.0.192.in-addr.arpa",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	}
)

func (g generator) scenario() scenario {
	var s scenario
	for _, name := range randomPolicies {
		if !g.once(8) {
			s.zone.add(name, "TXT", []any{g.record()})
		}
		if g.once(40) {
			s.zone.add(name, "TXT", []any{g.record()})
		}
		if g.once(3) {
			s.zone.add(name, "TXT", []any{"something else"})
		}
		if g.once(3) {
			s.zone.add(name, "MX", []any{10, g.pick(randomHosts...)})
			for range g.IntN(3) {
				s.zone.add(name, "MX", []any{20 + g.IntN(9), g.pick(randomHosts...)})
			}
		}
		if g.once(2) {
			s.zone.add(name, "A", g.pick("192.0.2.1", "192.0.2.64", "203.0.113.5"))
		}
	}
	for _, name := range randomHosts[:4] {
		if !g.once(4) {
			s.zone.add(name, "A", g.pick("192.0.2.1", "192.0.2.64", "203.0.113.5"))
		}
		if g.once(2) {
			s.zone.add(name, "AAAA", g.pick("2001:db8::1", "2001:db8:0:1::1"))
		}
		if g.once(25) {
			s.zone.Trouble = append(s.zone.Trouble, name)
		}
	}
	s.zone.add("alias.example", "CNAME", g.pick("h1.example", "a.example", "none.example"))
	s.zone.add("why.example", "TXT", []any{g.pick("%{i} is not of %{d}", "Go to http://x.example/?s=%{S}", "50% off", "%{h} %{c} %{v}%_%%%-", "see %{x}")})
	s.zone.add("ann._at.a.example", "A", "127.0.0.2")
	s.zone.add("1.2.0.192.rbl.example", "A", "127.0.0.2")
	for _, name := range randomReverse {
		for range g.IntN(3) {
			s.zone.add(name, "PTR", g.pick(randomHosts...))
		}
	}
	for range 4 {
		s.cases = append(s.cases, trial{
			IP: g.pick(randomIPs...), HELO: g.pick("mail.a.example", "b.example", "HELO.example"),
			Local: g.pick("ann", "strong-bad", "x.y+z", "a_b=c"), Domain: g.pick("a.example", "b.example", "c.example", "A.Example", "alias.example"),
		})
	}
	return s
}

func (g generator) record() string {
	terms := []string{g.pick("v=spf1", "v=spf1", "v=spf1", "V=SPF1")}
	for range 1 + g.IntN(5) {
		terms = append(terms, g.term())
	}
	if g.once(6) {
		terms = append(terms, "redirect="+g.domain())
	}
	if g.once(3) {
		terms = append(terms, "exp="+g.pick("why.example", "why.example", g.domain()))
	}
	if g.once(3) {
		terms = append(terms, g.pick("-all", "~all", "?all", "+all", "all"))
	}
	if g.once(25) {
		terms = append(terms, g.pick("moo", "mx:", "a:x", "ip4:1.2.3", "ip6:1", "a/33", "-", "x=%{z}", "exp=", "exists", "ptr/24", "all:x", "include", "a//129",
			"redirect=a.example", "ip4:192.0.2.1/033", "a:%{d0}", "include:%{c}.example", "mx:a.-b", "x=y", "9=y", "a:foo.123", "ip4:192.0.2.0//24", "a:b.example//"))
	}
	g.Shuffle(len(terms)-1, func(i, j int) { terms[1+i], terms[1+j] = terms[1+j], terms[1+i] })
	record := strings.Join(terms, g.pick(" ", " ", "  "))
	if g.damage && g.once(3) {
		at := 6 + g.IntN(len(record)-6)
		record = record[:at] + g.pick(" ", "%", ".", "/", ":", "=", "-", "0", "{", "}", "r", "x", "", "", "//1", "%%", "%{d", "%-", "+", "_", "\t") + record[at+g.IntN(2):]
	}
	return record
}

func (g generator) term() string {
	q := g.pick("", "", "", "+", "-", "~", "?")
	cidr := g.pick("", "", "", "/24", "//64", "/26//48", "/32//128", "/0", "//0")
	switch g.IntN(12) {
	case 0:
		return q + "a" + cidr
	case 1:
		return q + "a:" + g.domain() + cidr
	case 2:
		return q + "mx" + cidr
	case 3:
		return q + "mx:" + g.domain() + cidr
	case 4:
		return q + "ip4:" + g.pick("192.0.2.1", "192.0.2.0/24", "198.51.100.0/28", "203.0.113.0/0", "192.0.2.64/26")
	case 5:
		return q + "ip6:" + g.pick("2001:db8::1", "2001:db8::/32", "::/0", "2001:db8:0:1::/64", "::ffff:192.0.2.1", "2001:DB8::192.0.2.1")
	case 6:
		return q + g.pick("ptr", "ptr:"+g.domain())
	case 7:
		return q + "exists:" + g.domain()
	case 8, 9, 10:
		return q + "include:" + g.domain()
	}
	return g.pick("unknown=%{d}", "op=auth.helo", "x-y.z_1=", q+"exists:%{ir}.rbl.example", q+"Include:B.Example", q+"A:MAIL.a.example")
}

func (g generator) domain() string {
	if g.once(6) {
		return g.pick("%{d}", "_spf.%{d}", "%{d2}", "%{o}", "%{h}", "mail.%{o}", "%{l}._at.%{d}", "%{ir}.%{v}.rbl.example", "%{l1r-}.example", "%{s}.example",
			"%{p}", "%{p2}", "%{dr}.example", "%{i}.rbl.example", "%{L}.%{d}", "%{d1r}.example", "%{l-+_=}.x.example", "%{h2}.", "a%%b.example", "%_.example")
	}
	if g.once(2) {
		return g.pick(randomPolicies...)
	}
	return g.pick(append([]string{"alias.example", "b.example.", "none.example"}, randomHosts...)...)
}
