// Package trace writes the fields that mxhook puts before a message and takes out
// those of the sender that would contradict them.
//
// Fields writes ours; Cut says which octets of the sender's header section leave a
// raw copy; Copy joins both: our fields, then the frozen bytes without the cut ones,
// which are otherwise never changed. The native payload has no trace fields.
//
// Whatever a peer says (HELO, addresses, names, results), a field of ours stays one
// field: control characters never get into it, and its lines are at most 998
// octets, 78 where a blank allows it.
//
// Functions are pure but for reading MailData, whose errors they return, and safe
// for concurrent use, except Cut, which changes the Message it is given.
//
// Sources: RFC 5321 4.4 (Return-Path, Received), RFC 5322 2.1.1 and 2.2.3 (lines,
// folding), RFC 6531 4.3 and RFC 3848 (protocol names), RFC 6532 (UTF-8), RFC 7208
// 9.1 (Received-SPF), RFC 8601 5 (forged Authentication-Results).
package trace

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"mxhook/inbound"
	"mxhook/sinks"
	"mxhook/verify/authres"
)

// Field is one of our fields, its body unfolded: one line without control characters.
type Field struct{ Name, Body string }

// List returns the trace fields of e: Return-Path, one X-Original-To for each
// recipient, Authentication-Results, Received-SPF (when there is a result) and
// Received. Without Results, or with an empty Header, Authentication-Results says that
// nothing was verified (RFC 8601 2.2).
func List(e *sinks.Event) []Field {
	list := append([]Field{{"Return-Path", "<" + e.Mail.ReversePath.String() + ">"}}, originalTo(e)...)
	results, spf := "", ""
	if e.Results != nil {
		results, spf = e.Results.Header, e.Results.ReceivedSPF
	}
	if results == "" {
		results = domain(e.Hostname) + "; none"
	}
	list = append(list, Field{"Authentication-Results", results})
	if spf != "" {
		list = append(list, Field{"Received-SPF", spf})
	}
	list = append(list, Field{"Received", received(e)})
	for i := range list {
		list[i].Body = strings.Trim(printable(list[i].Body), " ")
	}
	return list
}

// Fields returns List as it stands in a header section, each field ended by CRLF.
func Fields(e *sinks.Event) []byte { return write(List(e)) }

func write(list []Field) []byte {
	var b bytes.Buffer
	for _, f := range list {
		writeField(&b, f.Name, f.Body)
	}
	return b.Bytes()
}

// OriginalTo returns one X-Original-To field for each recipient of e. A format
// whose receiver knows a message by its bytes takes them alone.
func OriginalTo(e *sinks.Event) []byte { return write(originalTo(e)) }

func originalTo(e *sinks.Event) (list []Field) {
	for _, r := range e.Recipients {
		list = append(list, Field{"X-Original-To", r.Path.String()})
	}
	return list
}

// received returns the body of the Received field (RFC 5321 4.4). The recipient
// stands in it only when there is one: several would tell blind copies.
func received(e *sinks.Event) string {
	var b strings.Builder
	b.WriteString("from " + domain(e.Session.HELO))
	if info := tcpInfo(e); info != "" {
		b.WriteString(" (" + info + ")")
	}
	if t := e.Session.TLS; t != nil {
		b.WriteString(" (using " + word(t.Version) + " with cipher " + word(t.Cipher) + ")")
	}
	b.WriteString(" by " + domain(e.Hostname))
	if e.Mail.Protocol != "" {
		b.WriteString(" with " + word(e.Mail.Protocol))
	}
	if e.ID != "" {
		b.WriteString(" id " + word(e.ID))
	}
	if len(e.Recipients) == 1 {
		b.WriteString(" for <" + e.Recipients[0].Path.String() + ">")
	}
	b.WriteString("; " + e.ReceivedAt.UTC().Format(time.RFC1123Z))
	return b.String()
}

// tcpInfo is what the connection itself says: the address and the name that it
// leads to and that leads back.
func tcpInfo(e *sinks.Event) string {
	a := e.Session.RemoteIP
	if !a.IsValid() {
		return ""
	}
	literal := addressLiteral(a)
	if e.Results == nil || e.Results.IPRev.Result != authres.Pass || e.Results.IPRev.Name == "" {
		return literal
	}
	return domain(e.Results.IPRev.Name) + " " + literal
}

func addressLiteral(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return "[IPv6:" + a.String() + "]"
	}
	return "[" + a.String() + "]"
}

// domain returns s as it may stand where a Domain or an address literal does. What
// is neither keeps its letters, digits, dots and hyphens; the rest become "?", so
// that no parenthesis or quote of a peer's opens anything.
func domain(s string) string {
	switch {
	case s == "":
		return "unknown"
	case strings.HasPrefix(s, "["):
		if _, err := inbound.ParsePath("x@"+s, false); err == nil {
			return s
		}
	}
	return strings.Map(func(r rune) rune {
		if isWord(r) {
			return r
		}
		return '?'
	}, s)
}

// word returns s as an atom; blanks are dropped, so that "TLS 1.3" is TLS1.3.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case isWord(r):
			return r
		case r == ' ':
			return -1
		}
		return '?'
	}, s)
}

func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_'
}
