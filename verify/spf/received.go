package spf

import (
	"net/netip"
	"strings"

	"mxhook/verify/authres"
)

// Trace is what the field Received-SPF tells beside the evaluation.
type Trace struct {
	Receiver string // our name
	IP       netip.Addr
	HELO     string
	// Sender is the reverse-path without brackets; an empty one means that HELO was
	// evaluated in its place.
	Sender string
}

// Received gives the body of a Received-SPF field (RFC 7208 9.1), unfolded. Whatever
// the peer said stands in quoted strings without control characters.
func Received(e Evaluation, t Trace) string {
	var b strings.Builder
	b.WriteString(string(e.Result))
	reason := e.Reason
	if reason == "" {
		reason = "evaluated"
	}
	b.WriteString(" (" + authres.Comment(t.Receiver) + ": " + authres.Comment(reason) + ")")
	identity := "mailfrom"
	if t.Sender == "" {
		identity = "helo"
	}
	first := true
	for _, pair := range [][2]string{
		{"identity", identity},
		{"client-ip", address(t.IP)},
		{"envelope-from", t.Sender},
		{"helo", t.HELO},
		{"receiver", t.Receiver},
		{"mechanism", e.Mechanism},
	} {
		if pair[1] == "" {
			continue
		}
		if !first {
			b.WriteByte(';')
		}
		first = false
		b.WriteString(" " + pair[0] + "=" + pairValue(pair[1]))
	}
	return b.String()
}

func address(ip netip.Addr) string {
	if ip = ip.Unmap(); ip.IsValid() {
		return ip.WithZone("").String()
	}
	return ""
}

// pairValue writes a dot-atom as it is and quotes everything else.
func pairValue(v string) string {
	if !strings.Contains("."+v+".", "..") && strings.Trim(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && len(v) < 256 {
		return v
	}
	return authres.Quote(v)
}
