package ses

import (
	"io"
	"net/netip"
	"regexp"
	"strings"

	"mxhook/inbound"
)

// maxOpening is how much of a message is looked into.
const maxOpening = 32 << 10

// opening is what SES wrote before a message. Whoever sent it may have written the same
// fields below, or in their place: nothing counts unless known.
type opening struct {
	// known says that the first Received field is SES's: it carries the id of the
	// message, which SES chose after it had all of the sender's words.
	known          bool
	helo           string
	remoteIP       netip.Addr // zero unless known, and unless all fields agree
	recipient      string     // of the "for" clause, "" without one
	hasReversePath bool
	reversePath    string
	spf            inbound.Verdict
	spam, virus    inbound.Verdict
}

// received is the field that SES writes:
//
//	from EHLO (NAME [ADDRESS]) by inbound-smtp.REGION.amazonaws.com with SMTP id ID for RECIPIENT; DATE
//
// Whatever else the sender may bring into it, blanks and line ends are not a part of a
// word.
var received = regexp.MustCompile(`^from (\S+) \((?:\S+ )?\[(?:IPv6:)?([0-9A-Fa-f:.]+)\]\) by inbound-smtp\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)? with [A-Z0-9]+ id (\S+)(?: for <?([^\s;<>]+)>?)?; [^;]*$`)

// clientIP is the address in Received-SPF.
var clientIP = regexp.MustCompile(`(?:^|[ ;])client-ip=([0-9A-Fa-f:.]+)(?:;|$)`)

// readOpening reads the first fields of a message that has this id. The error is one of
// reading.
func readOpening(data *inbound.MailData, id string) (o opening, err error) {
	head := make([]byte, min(maxOpening, data.Size()))
	if _, err := io.ReadFull(io.NewSectionReader(data, 0, int64(len(head))), head); err != nil {
		return o, err
	}
	list := fields(string(head))
	if len(list) > 0 && strings.EqualFold(list[0].name, "Return-Path") {
		o.reversePath, o.hasReversePath = bracketed(list[0].body)
		list = list[1:]
	}
	if len(list) == 0 || !strings.EqualFold(list[0].name, "Received") {
		return opening{}, nil
	}
	m := received.FindStringSubmatch(list[0].body)
	if m == nil || m[3] != id {
		return opening{}, nil
	}
	o.known, o.helo, o.recipient = true, m[1], m[4]
	if ip, err := netip.ParseAddr(m[2]); err == nil {
		o.remoteIP = ip.Unmap()
	}
	o.readVerdicts(list[1:])
	return o, nil
}

// readVerdicts reads what follows: X-SES-Spam-Verdict and X-SES-Virus-Verdict, which an
// account may have switched off, Received-SPF and Authentication-Results. A sender's own
// field can stand for SES's only where SES has left that one out; so all count only in
// this order, up to an Authentication-Results of SES.
func (o *opening) readVerdicts(list []field) {
	next := func(name string) (body string, ok bool) {
		if len(list) == 0 || !strings.EqualFold(list[0].name, name) {
			return "", false
		}
		body, list = list[0].body, list[1:]
		return body, true
	}
	spam, _ := next("X-SES-Spam-Verdict")
	virus, _ := next("X-SES-Virus-Verdict")
	spf, ok := next("Received-SPF")
	if !ok {
		return
	}
	if m := clientIP.FindStringSubmatch(spf); m != nil {
		if ip, err := netip.ParseAddr(m[1]); err != nil || ip.Unmap() != o.remoteIP {
			o.remoteIP = netip.Addr{}
			return
		}
	}
	results, _ := next("Authentication-Results")
	if !strings.HasPrefix(strings.ToLower(results), "amazonses.com;") {
		return
	}
	o.spam, o.virus = inbound.ParseVerdict(spam), inbound.ParseVerdict(virus)
	switch word, _, _ := strings.Cut(strings.ToLower(spf), " "); word {
	case "fail": // a pass of a header field is none: it is evaluated anew
		o.spf = inbound.VerdictFail
	case "none", "neutral", "softfail":
		o.spf = inbound.VerdictGray
	}
}

type field struct{ name, body string } // unfolded

// fields reads the header section up to its end, or to the first line that is none, or
// to the end of what is there: a field that may go on is left out.
func fields(head string) (list []field) {
	var open *field
	for {
		line, rest, whole := strings.Cut(head, "\n")
		if !whole {
			if open != nil {
				list = list[:len(list)-1]
			}
			return list
		}
		head = rest
		line = strings.TrimSuffix(line, "\r")
		if strings.ContainsAny(line, "\r\x00") {
			return list
		}
		if line != "" && (line[0] == ' ' || line[0] == '\t') && open != nil {
			open.body += " " + strings.Trim(line, " \t")
			continue
		}
		name, body, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return list
		}
		list = append(list, field{name, strings.Trim(body, " \t")})
		open = &list[len(list)-1]
	}
}

// bracketed reads <path>.
func bracketed(s string) (string, bool) {
	if len(s) < 2 || s[0] != '<' || s[len(s)-1] != '>' {
		return "", false
	}
	return s[1 : len(s)-1], true
}
