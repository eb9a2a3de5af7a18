package bridge

import (
	"net/netip"
	"strings"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// identify says what makes m the same message when its sender tries again. The
// fields are taken as they were written, the first of each. A message without a
// Message-ID can't be proved to be the same: the transaction's id makes it unique.
func identify(m delivery.Mail, transaction string) sinks.Identity {
	id := sinks.Identity{
		ReversePath: m.Mail.ReversePath.LocalPart + "@" + strings.ToLower(m.Mail.ReversePath.Domain),
		MessageID:   m.Message.MessageID,
		Date:        rawField(m.Message, "Date"),
		From:        rawField(m.Message, "From"),
		Subject:     rawField(m.Message, "Subject"),
		BodySHA256:  m.Data.BodySHA256(),
		Fingerprint: fingerprint(m.Results, m.Session.RemoteIP),
	}
	if id.MessageID == "" {
		id.Transaction = transaction
	}
	return id
}

func rawField(m *message.Message, name string) string {
	for _, f := range m.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Raw
		}
	}
	return ""
}

// fingerprint names who vouches for the message: the domains whose DKIM signature
// or SPF record passes, or else the peer's network. Without it a copy that somebody
// sends first, from anywhere, would have the identity of the genuine message.
func fingerprint(r *verify.Results, peer netip.Addr) (names []string) {
	for _, d := range r.DKIM {
		if d.Result == authres.Pass {
			names = append(names, "dkim "+strings.ToLower(d.Domain))
		}
	}
	if r.SPF.Result == authres.Pass {
		names = append(names, "spf "+strings.ToLower(r.SPF.Domain))
	}
	if len(names) > 0 {
		return names
	}
	bits := 24
	if peer.Is6() {
		bits = 64
	}
	network, err := peer.Prefix(bits)
	if err != nil { // the zero Addr, of a unix socket: one peer
		return []string{"peer local"}
	}
	return []string{"peer " + network.String()}
}
