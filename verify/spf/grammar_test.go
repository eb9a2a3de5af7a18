package spf_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"mxhook/verify/spf"
)

// The grammar of RFC 7208 12 as regular expressions, to hold the parser against.
var grammar = func() struct{ directive, network, redirect, unknown, name *regexp.Regexp } {
	const (
		expand    = `%(?:\{[slodiphv]0*(?:[1-9][0-9]*)?r?[-.+,/_=]*\}|%|_|-)`
		anyExpand = `%(?:\{[slodiphvcrt]0*(?:[1-9][0-9]*)?r?[-.+,/_=]*\}|%|_|-)`
		literal   = `[\x21-\x24\x26-\x7e]`
		topLabel  = `(?:[0-9a-z]*[a-z][0-9a-z]*|[0-9a-z]+-[0-9a-z-]*[0-9a-z])`
		domain    = `(?:` + expand + `|` + literal + `)*(?:\.` + topLabel + `\.?|` + expand + `)`
		four      = `(?:/(?:[0-9]|[12][0-9]|3[0-2]))?`
		six       = `(?://(?:[0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?`
		qnum      = `(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])`
	)
	whole := func(s string) *regexp.Regexp { return regexp.MustCompile(`^(?i:` + s + `)$`) }
	return struct{ directive, network, redirect, unknown, name *regexp.Regexp }{
		directive: whole(`[-+?~]?(?:all|(?:include|exists):` + domain + `|(?:a|mx)(?::` + domain + `)?` + four + six +
			`|ptr(?::` + domain + `)?|ip4:` + strings.Repeat(qnum+`\.`, 3) + qnum + four + `)`),
		network:  whole(`[-+?~]?ip6:([0-9a-f:.]+)(?:/(?:[0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?`),
		redirect: whole(`(redirect|exp)=` + domain),
		unknown:  whole(`[a-z][-a-z0-9_.]*=(?:` + anyExpand + `|` + literal + `)*`),
		name:     whole(`(redirect|exp)=.*`),
	}
}()

// grammatical tells whether a record is one. More than 0 parts are to be kept
// (RFC 7208 7.3), and neither redirect nor exp stands twice (6).
func grammatical(record string) bool {
	seen := map[string]bool{}
	for i, word := range strings.Split(record, " ") {
		known := grammar.name.FindStringSubmatch(word)
		address := grammar.network.FindStringSubmatch(word)
		switch {
		case i == 0 && strings.EqualFold(word, "v=spf1"), i > 0 && word == "", i > 0 && grammar.directive.MatchString(word) && zeros(word):
		case address != nil:
			if ip, err := netip.ParseAddr(address[1]); err != nil || !ip.Is6() {
				return false
			}
		case known != nil:
			name := strings.ToLower(known[1])
			if seen[name] || !grammar.redirect.MatchString(word) || !zeros(word) {
				return false
			}
			seen[name] = true
		case !grammar.unknown.MatchString(word) || !zeros(word):
			return false
		}
	}
	return true
}

var zero = regexp.MustCompile(`%\{[a-zA-Z]0+[rR]?[-.+,/_=]*\}`)

// zeros is false if a macro keeps 0 parts.
func zeros(word string) bool {
	return !zero.MatchString(strings.ReplaceAll(word, "%%", ""))
}

func TestTheParserIsTheGrammar(t *testing.T) {
	good, bad := 0, 0
	for _, s := range randomScenarios(3, 1500, true) {
		for _, kinds := range s.zone.Names {
			for _, texts := range kinds["TXT"] {
				record := texts.([]any)[0].(string)
				if !strings.HasPrefix(strings.ToLower(record), "v=spf1 ") {
					continue
				}
				problem, want := spf.Problem(record), grammatical(record)
				if (problem == "") != want {
					t.Errorf("%q: %q, the grammar says %t", record, problem, want)
				}
				if want {
					good++
				} else {
					bad++
				}
			}
		}
	}
	t.Logf("%d good and %d bad records", good, bad)
}
