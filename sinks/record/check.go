package record

import (
	"net/netip"
	"strings"

	"mxhook/inbound"
	"mxhook/sinks"
	"mxhook/verify/authres"
)

// check tells whether the event is one that a bridge of ours can have made: what names
// files, headers and URLs, and what decides about trust, holds nothing else.
func check(e *sinks.Event) error {
	ok := isEventID(e.ID) && plain(e.Route) && e.Route != "" && plain(e.Hostname) && e.Mail.DeclaredSize >= 0 &&
		isPath(e.Mail.ReversePath) && (e.Mail.ReversePath.IsNull() || e.Mail.ReversePath.LocalPart != "") && knownResults(e) && knownVerdicts(e.Mail.Provider)
	for _, r := range e.Recipients {
		ok = ok && isPath(r.Path) && r.Path.LocalPart != "" && plain(r.Canonical)
		for name, value := range r.Captures {
			ok = ok && name != "" && plain(name) && plain(value) && value != "." && value != ".."
		}
	}
	// An id is made of what the record says, unless a spool of an earlier version had it.
	if e.Identity != ([32]byte{}) {
		ok = ok && e.ID == sinks.EventID(e.Identity, e.Route, e.Recipients)
	}
	if !ok {
		return ErrRecord
	}
	return nil
}

func isEventID(s string) bool {
	rest, ok := strings.CutPrefix(s, "msg_")
	return ok && len(rest) == 26 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func isPath(p inbound.Path) bool { return plain(p.LocalPart) && plain(p.Domain) }

// plain tells whether s has no control characters of ASCII, which no path can hold.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// knownResults tells whether every result is a word of RFC 8601, or none was found.
func knownResults(e *sinks.Event) bool {
	r := e.Results
	if r == nil {
		return true
	}
	all := []authres.Result{r.SPF.Result, r.SPFHelo.Result, r.DMARC.Result, r.ARC.Result, r.IPRev.Result, r.HELO.Result}
	for _, d := range r.DKIM {
		all = append(all, d.Result)
	}
	for _, x := range all {
		switch x {
		case "", authres.None, authres.Pass, authres.Fail, authres.SoftFail, authres.Neutral, authres.Policy, authres.TempError, authres.PermError:
		default:
			return false
		}
	}
	return true
}

// knownVerdicts tells whether every word of a provider is one that it has.
func knownVerdicts(p *inbound.Provider) bool {
	if p == nil {
		return true
	}
	ok := p.Name != "" && plain(p.Name) && plain(p.MessageID)
	for _, v := range []inbound.Verdict{p.SPF, p.DKIM, p.DMARC, p.Spam, p.Virus} {
		ok = ok && v == inbound.ParseVerdict(string(v))
	}
	return ok
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return s == "" || err == nil
}
