package routing

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// Which language holds which: a pattern at one domain is a row of signs that spells
// local-part@domain, and every text of one row is a text of another if no walk
// through both shows a text that only the former takes.

// sign takes characters of an address.
type sign struct {
	char  rune // exactly this one, folded; otherwise:
	class byte // anyChar or notAt
	loop  bool // none, one or many of them
}

const (
	anyChar byte = 1 + iota
	notAt
)

// otherChar stands for a character that no pattern has as such. Where a wildcard
// takes a character, this one and '@' are all that need be looked at: whatever
// takes this one takes every other but perhaps '@'.
const otherChar rune = -1

func (s sign) takes(r rune) bool {
	switch s.class {
	case anyChar:
		return true
	case notAt:
		return r != '@'
	}
	return r == s.char
}

// signs returns the row of p at a domain that p fits; false if it can't be written
// as one.
func (p *pattern) signs(domain string) (row []sign, ok bool) {
	switch {
	case p.all || p.null || p.minds:
		return nil, false
	case p.re != nil:
		tree, err := syntax.Parse(p.normal[1:len(p.normal)-1], syntax.Perl|syntax.FoldCase)
		if err != nil {
			return nil, false
		}
		if row, ok = exprSigns(nil, tree); !ok {
			return nil, false
		}
	default:
		row = append(append(p.local.signs(), sign{char: '@'}), textSigns(domain)...)
	}
	// Package regexp takes octets that are no UTF-8 for U+FFFD, comparison doesn't.
	return row, !slices.Contains(row, sign{char: utf8.RuneError})
}

func textSigns(s string) []sign {
	var row []sign
	for _, r := range s {
		row = append(row, sign{char: foldRune(r)})
	}
	return row
}

// signs returns g's row.
func (g *glob) signs() []sign {
	if g.re == nil && !g.any {
		return textSigns(g.literal)
	}
	var row []sign
	for rest := g.normal; rest != ""; {
		switch {
		case rest[0] == '*':
			row = append(row, sign{class: anyChar, loop: true})
			rest = rest[1:]
		case strings.HasPrefix(rest, "{}"):
			row = append(row, sign{class: notAt}, sign{class: notAt, loop: true})
			rest = rest[2:]
		default:
			r, n := utf8.DecodeRuneInString(rest)
			row = append(row, sign{char: foldRune(r)})
			rest = rest[n:]
		}
	}
	return row
}

// exprSigns adds the row of a regular expression that has but literal text, ".",
// [^@], * and +.
func exprSigns(row []sign, re *syntax.Regexp) ([]sign, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return append(row, textSigns(string(re.Rune))...), true
	case syntax.OpCapture, syntax.OpConcat:
		ok := true
		for _, sub := range re.Sub {
			if row, ok = exprSigns(row, sub); !ok {
				return nil, false
			}
		}
		return row, true
	case syntax.OpStar, syntax.OpPlus:
		class, ok := exprClass(re.Sub[0])
		if re.Op == syntax.OpPlus {
			row = append(row, sign{class: class})
		}
		return append(row, sign{class: class, loop: true}), ok
	}
	class, ok := exprClass(re)
	return append(row, sign{class: class}), ok
}

// exprClass reads "." and [^@]. That "." takes no line end does not matter: no
// address has one (RFC 5321 4.1.2).
func exprClass(re *syntax.Regexp) (byte, bool) {
	switch {
	case re.Op == syntax.OpAnyChar, re.Op == syntax.OpAnyCharNotNL:
		return anyChar, true
	case re.Op == syntax.OpCharClass && string(re.Rune) == string([]rune{0, '@' - 1, '@' + 1, utf8.MaxRune}):
		return notAt, true
	}
	return 0, false
}

// Bounds of the walks, in steps of one sign: of one, and of all in a Compile.
const (
	maxWalk  = 500_000
	maxWalks = 20_000_000
)

// containment compares patterns until its steps are used up. Then it knows nothing
// more.
type containment struct{ steps int }

// pattern tells whether outer surely takes every address of the domain, which both
// fit, that inner takes.
func (c *containment) pattern(outer, inner *pattern, domain string) bool {
	if c.steps--; c.steps < 0 || !mayHold(outer, inner) {
		return false
	}
	c.steps -= 20 * (len(outer.normal) + len(inner.normal) + len(domain)) // for the rows
	in, ok := inner.signs(domain)
	if !ok {
		return false
	}
	out, ok := outer.signs(domain)
	return ok && c.holds(out, in)
}

// mayHold is a first look: what outer has before its first and after its last
// wildcard, inner must have too.
func mayHold(outer, inner *pattern) bool {
	if outer.re != nil || inner.re != nil {
		return true
	}
	return outer.local != nil && inner.local != nil && outer.local.re != nil &&
		strings.HasPrefix(inner.local.prefix, outer.local.prefix) && strings.HasSuffix(inner.local.suffix, outer.local.suffix)
}

// sender is pattern for senders, which are in any domain. Local parts and domains
// are compared by themselves, since a local part may hold an @.
func (c *containment) sender(outer, inner *pattern) bool {
	switch {
	case outer.all || outer.normal == inner.normal:
		return true
	case outer.null || inner.null || inner.all:
		return false
	case outer.re != nil && inner.re != nil:
		return c.pattern(outer, inner, "")
	case outer.re != nil || inner.re != nil:
		return false
	}
	c.steps -= 20 * (len(outer.normal) + len(inner.normal))
	return c.holds(outer.local.signs(), inner.local.signs()) && c.holds(outer.domainSigns(), inner.domainSigns())
}

// domainSigns is the row of a sender's domain.
func (p *pattern) domainSigns() []sign {
	if p.domain != nil {
		return p.domain.signs()
	}
	return textSigns(p.domains[0])
}

// holds tells whether every text that inner takes is one that outer takes. It says
// no where to find out would take too long.
func (c *containment) holds(outer, inner []sign) bool {
	c.steps = max(c.steps, 0)
	steps := min(c.steps, maxWalk)
	c.steps -= steps
	defer func() { c.steps += max(steps, 0) }()

	// A state is a place in inner and the set of places where outer may be then.
	type state struct {
		at  int
		set places
	}
	seen := map[string]bool{}
	var todo []state
	push := func(at int, set places) {
		key := string(binary.AppendUvarint(nil, uint64(at))) + string(set)
		if !seen[key] {
			seen[key] = true
			todo = append(todo, state{at, set})
		}
	}
	push(0, startPlaces(outer))
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if steps -= 2*len(outer) + 1; steps < 0 {
			return false
		}
		if s.at == len(inner) {
			if s.set[len(outer)] == 0 {
				return false
			}
			continue
		}
		in, next := inner[s.at], s.at+1
		if in.loop {
			push(next, s.set)
			next = s.at
		}
		if in.class == 0 {
			push(next, s.set.after(outer, in.char))
			continue
		}
		push(next, s.set.after(outer, otherChar))
		if in.takes('@') {
			push(next, s.set.after(outer, '@'))
		}
	}
	return true
}

// places is a set of places in a row, one octet for each.
type places []byte

func startPlaces(row []sign) places {
	set := make(places, len(row)+1)
	set.add(row, 0)
	return set
}

// add adds place i, and those behind loops that need not take anything.
func (set places) add(row []sign, i int) {
	for set[i] == 0 {
		set[i] = 1
		if i == len(row) || !row[i].loop {
			return
		}
		i++
	}
}

// after returns where the row may be after one more character.
func (set places) after(row []sign, r rune) places {
	next := make(places, len(set))
	for i, s := range row {
		switch {
		case set[i] == 0 || !s.takes(r):
		case s.loop:
			next.add(row, i)
		default:
			next.add(row, i+1)
		}
	}
	return next
}

// fits tells whether p may take an address of the domain.
func (p *pattern) fits(domain string) bool {
	if p.domain != nil {
		_, ok := p.domain.match(domain, domain)
		return ok
	}
	row, ok := p.signs(domain)
	if p.re == nil || !ok {
		return true
	}
	// The beginning of the row takes some text or other before the @.
	set := make(places, len(row)+1)
	for i := range set {
		set[i] = 1
	}
	for _, s := range append([]sign{{char: '@'}}, textSigns(domain)...) {
		set = set.after(row, s.char)
	}
	return set[len(row)] != 0
}
