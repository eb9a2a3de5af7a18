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
// Message-ID can't be proved to be the same: the transaction's id makes it unique. A
// message of a provider is known by the provider's id: the provider's retries are the
// same message, and a sender's resend is another one.
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
	if p := m.Mail.Provider; p != nil && p.MessageID != "" {
		// It is the message, however its header reads, whatever name servers answer at
		// this try, and no other has it.
		id.Fingerprint, id.Transaction = []string{p.Name + " " + p.MessageID}, ""
		return id
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
//
// Behind a relay of ours the peer is the relay, the same for everybody, and on a unix
// socket it is one constant. What a DKIM signature vouches for is as safe as elsewhere.
// Without one, a stranger who knows a message before it arrives (the same body, Date,
// Message-ID, From, Subject and reverse-path) and brings it to the relay first has its
// identity; what is then suppressed differs in other fields alone, such as To, Reply-To
// or Content-Type. Never to suppress such mail would repeat it whenever the relay does
// not hear our 250; a route that prefers that says deduplicate: false.
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
