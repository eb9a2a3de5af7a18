package dns

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	mdns "github.com/miekg/dns"

	"mxhook/verify/why"
)

// maxShown is how many octets of a record are shown, maxListed how many records. Of a word
// that is longer than maxWord, such as a key, wordShown octets are shown.
const (
	maxShown  = 300
	maxWord   = 100
	wordShown = 60
	maxListed = 4
)

// say tells a question and its answer to whom it concerns.
func say(ctx context.Context, name string, qtype uint16, a *answer) {
	if !why.On(ctx) {
		return
	}
	kind := mdns.TypeToString[qtype]
	what := ""
	switch e, _ := a.err.(*net.DNSError); {
	case e == nil:
		what = values(a.rrs)
	case IsNoDomain(e):
		what = "NXDOMAIN, there is no such name"
	case IsNotFound(e):
		what = fmt.Sprintf("no %s record, though the name exists", kind)
	default:
		what = e.Err
	}
	if a.alias != "" {
		what = "alias of " + a.alias + ": " + what
	}
	why.Say(ctx, "DNS %s %s: %s%s", kind, plainName(name), what, circumstances(a))
}

// unasked tells of a question that nobody was asked, and why.
func unasked(ctx context.Context, name string, err error) {
	a := answer{err: err}
	observe(ctx, &a)
	if e, ok := err.(*net.DNSError); ok && why.On(ctx) {
		why.Say(ctx, "DNS %s: not asked: %s", name, e.Err)
	}
}

// circumstances tells where an answer comes from and how long it lasts.
func circumstances(a *answer) string {
	var list []string
	if a.err == nil || IsNotFound(a.err) {
		left := int(a.left.Round(time.Second) / time.Second)
		if a.cached {
			list = append(list, fmt.Sprintf("cached, %d s left", left))
		} else {
			list = append(list, fmt.Sprintf("TTL %d s", left))
		}
		if a.authentic {
			list = append(list, "DNSSEC")
		}
		if len(a.trail) > 0 {
			list = append(list, "before that "+strings.Join(a.trail, ", "))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, "; ") + ")"
}

// values shows records in short. Of many texts those are shown that say what they are
// for: a domain's own name often holds dozens of tokens for all kinds of services.
func values(rrs []mdns.RR) string {
	var shown []string
	more := 0
	for _, rr := range rrs {
		s := value(rr)
		versioned := strings.HasPrefix(strings.ToLower(s), `"v=`)
		if len(shown) == maxListed || len(rrs) > maxListed && rr.Header().Rrtype == mdns.TypeTXT && !versioned {
			more++
			continue
		}
		shown = append(shown, s)
	}
	if more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

// value is a record's data as a person wants to read it.
func value(rr mdns.RR) string {
	switch rr := rr.(type) {
	case *mdns.TXT:
		text := unescape(strings.Join(rr.Txt, ""))
		if short := shorten(text); short != text {
			return fmt.Sprintf("%q (%d octets)", short, len(text))
		}
		return strconv.Quote(text)
	case *mdns.MX:
		return fmt.Sprintf("%d %s", rr.Preference, plainName(rr.Mx))
	case *mdns.PTR:
		return plainName(rr.Ptr)
	case *mdns.A:
		return rr.A.String()
	case *mdns.AAAA:
		return rr.AAAA.String()
	}
	return mdns.TypeToString[rr.Header().Rrtype]
}

// shorten leaves of a text what a person looks at: of a key its beginning.
func shorten(text string) string {
	if len(text) > maxShown {
		text = text[:maxShown] + "..."
	}
	words := strings.Split(text, " ")
	for i, w := range words {
		if len(w) > maxWord {
			words[i] = strings.TrimSuffix(w[:wordShown], ".") + "..."
		}
	}
	return strings.Join(words, " ")
}

// plainName is a name without its final dot.
func plainName(name string) string {
	if name == "." {
		return name
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
