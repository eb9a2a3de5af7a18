package routing

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPattern bounds a pattern in octets. No address is longer than 512.
const maxPattern = 1024

// pattern is one alternative of a recipient or a sender.
type pattern struct {
	all     bool           // a sender's lone *: any address, and the null reverse-path
	null    bool           // a sender's <>
	re      *regexp.Regexp // /…/
	minds   bool           // re may switch (?-i) on, so that what takes one spelling may not take another
	local   *glob          // otherwise; any for a whole domain
	domain  *glob          // with wildcards, matched against the normal form; nil when literal or unnamed
	domains []string       // the literal domains, in normal form; none if the pattern names none
	names   []string       // of the captures
	normal  string         // patterns with the same normal form match the same
}

// Captures returns the names of the captures of a recipient's pattern, in order of
// appearance. The error says what is wrong with the pattern.
func Captures(recipient string) ([]string, error) {
	p, err := parseRecipient(recipient)
	if err != nil {
		return nil, err
	}
	return slices.Clone(p.names), nil
}

// parseRecipient reads a recipient's alternative.
func parseRecipient(s string) (*pattern, error) {
	if err := checkText(s); err != nil {
		return nil, err
	}
	if len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' {
		return parseExpr(s)
	}
	if len(s) > 1 && s[0] == '<' && s[len(s)-1] == '>' {
		return nil, errors.New("an address is written without angle brackets")
	}
	return parseAddress(s)
}

// parseSender reads a sender's alternative: the same language, with <> for the
// null reverse-path, a lone * for any, and no captures.
func parseSender(s string) (*pattern, error) {
	switch s {
	case "<>":
		return &pattern{null: true, normal: s}, nil
	case "*":
		return &pattern{all: true, normal: s}, nil
	}
	p, err := parseRecipient(s)
	switch {
	case err != nil:
		return nil, err
	case len(p.names) > 0:
		return nil, fmt.Errorf("{%s}: captures are taken from the recipient; a sender's pattern has * instead", p.names[0])
	case p.re == nil && !strings.Contains(s, "@"):
		return nil, errors.New("it names no domain; write name@domain, name@*, @domain, or <> for the null reverse-path")
	}
	return p, nil
}

func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > maxPattern:
		return fmt.Errorf("it is longer than %d octets", maxPattern)
	case !utf8.ValidString(s):
		return errors.New("it is not valid UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("it holds a control character")
	}
	return nil
}

var switchesCase = regexp.MustCompile(`\(\?[a-zA-Z]*-[a-zA-Z]*i`)

func parseExpr(s string) (*pattern, error) {
	re, domains, err := newExpr(s[1 : len(s)-1])
	if err != nil {
		return nil, err
	}
	p := &pattern{re: re, normal: s, minds: switchesCase.MatchString(s)}
	for _, d := range domains {
		if Domain(d) != d {
			return nil, fmt.Errorf("a regular expression is matched against the A-label form of a domain, %q", Domain(d))
		}
		p.domains = append(p.domains, d)
	}
	for _, name := range re.SubexpNames() {
		if name == "" {
			continue
		}
		if !isName(name) {
			return nil, fmt.Errorf("group %q: a capture's name is letters, digits and _", name)
		}
		if slices.Contains(p.names, name) {
			return nil, fmt.Errorf("the capture {%s} stands twice", name)
		}
		p.names = append(p.names, name)
	}
	return p, nil
}

func parseAddress(s string) (*pattern, error) {
	local, domain, named := cutLast(s, '@')
	switch {
	case named && domain == "":
		return nil, errors.New("nothing follows the @")
	case len(local) > 1 && local[0] == '"' && local[len(local)-1] == '"':
		return nil, errors.New("a local part is written without quotes; it matches however the sender quotes it")
	case local == "":
		local = "*"
	}
	g, err := newGlob(local)
	if err != nil {
		return nil, err
	}
	p := &pattern{local: g, names: g.names}
	p.normal = g.normal + "@"
	if !named {
		return p, nil
	}
	if err := p.parseDomain(domain); err != nil {
		return nil, err
	}
	return p, nil
}

// parseDomain reads what follows the @. A label with {name} or * stands for itself;
// the others have U-labels or A-labels.
func (p *pattern) parseDomain(s string) error {
	if !strings.ContainsAny(s, "*{}") {
		if err := checkDomain(s); err != nil {
			return err
		}
		d := Domain(s)
		p.domains, p.normal = []string{d}, p.normal+d
		return nil
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for i, l := range labels {
		wild := strings.ContainsAny(l, "*{}")
		if wild && !isASCII(l) {
			return errors.New("a label with * or {name} is matched against A-labels and can't be other than ASCII")
		}
		if !wild {
			if err := checkDomain(l); err != nil {
				return err
			}
			labels[i] = Domain(l)
		}
	}
	g, err := newGlob(strings.Join(labels, "."))
	if err != nil {
		return err
	}
	for _, name := range g.names {
		if slices.Contains(p.names, name) {
			return fmt.Errorf("the capture {%s} stands twice", name)
		}
	}
	p.domain, p.names, p.normal = g, append(slices.Clip(p.names), g.names...), p.normal+g.normal
	return nil
}

// checkDomain refuses what no domain of an address can look like.
func checkDomain(s string) error {
	if s == "" || len(s) > 255 {
		return errors.New("a domain has 1 to 255 octets")
	}
	if s[0] == '[' && s[len(s)-1] == ']' {
		return nil
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" {
			return fmt.Errorf("domain %q has an empty label", s)
		}
	}
	if i := strings.IndexFunc(s, notInDomain); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Errorf("domain %q holds %q", s, r)
	}
	return nil
}

func notInDomain(r rune) bool {
	return r <= ' ' || r == 0x7f || r < utf8.RuneSelf && strings.ContainsRune("\"#$%&'()*+,/:;<=>?@[\\]^`{|}~!", r)
}
