package recent

import (
	"strings"
	"unsafe"
)

// boundRecipients cuts what is kept of the recipients.
func (m *Message) boundRecipients() {
	if over := len(m.Recipients) - MaxRecipients; over > 0 {
		m.MoreRcpt += over
		m.Recipients = append([]Recipient(nil), m.Recipients[:MaxRecipients]...)
	}
	for i := range m.Recipients {
		r := &m.Recipients[i]
		r.Routes, r.Passed = r.Routes[:min(len(r.Routes), maxRoutes)], r.Passed[:min(len(r.Passed), maxRoutes)]
	}
}

// BoundSignatures cuts a list of verdicts of signatures to what is kept.
func BoundSignatures(n int) int { return min(n, maxSignatures) }

// textOf returns what is searched, in lower case.
func textOf(m *Message) string {
	var b strings.Builder
	for _, s := range []string{m.ID, m.Queued, m.Session, m.RemoteIP, m.ReversePath, m.From, m.Subject, m.MessageID} {
		b.WriteString(s)
		b.WriteByte('\n')
	}
	for i := range m.Recipients {
		b.WriteString(m.Recipients[i].Address)
		b.WriteByte('\n')
	}
	return strings.ToLower(b.String())
}

// octets returns about how much memory the message takes. Names of the configuration and
// words of tables are shared, and count as what points to them.
func (m *Message) octets() int64 {
	n := int(unsafe.Sizeof(Entry{})) + 200 // with its places in the maps
	for _, s := range []string{m.ID, m.Queued, m.Session, m.RemoteIP, m.HELO, m.User, m.ReversePath, m.From, m.Subject, m.MessageID, m.Reply, m.Reason} {
		n += len(s)
	}
	if v := m.Verdicts; v != nil {
		n += int(unsafe.Sizeof(*v)) + len(v.Reason)
		for _, x := range append([]Verdict{v.SPF, v.DMARC, v.ARC, v.IPRev}, v.DKIM...) {
			n += int(unsafe.Sizeof(x)) + len(x.Domain) + len(x.Reason)
		}
	}
	for i := range m.Recipients {
		r := &m.Recipients[i]
		n += int(unsafe.Sizeof(*r)) + len(r.Address) + len(r.Reply)
		for _, t := range r.Routes {
			n += int(unsafe.Sizeof(t)) + len(t.Why) + len(t.Then)
		}
		for _, p := range r.Passed {
			n += 16 + len(p)
		}
	}
	for i := range m.Events {
		n += int(m.Events[i].octets())
	}
	return int64(n) + int64(len(m.Known))*int64(unsafe.Sizeof(Known{}))
}

// octets returns about how much memory an event takes, with its place in the index.
func (x *Event) octets() int64 {
	n := int(unsafe.Sizeof(*x)) + len(x.ID) + len(x.Detail) + len(x.Reply) + 150
	for i := range x.Attempts {
		n += int(unsafe.Sizeof(x.Attempts[i])) + len(x.Attempts[i].Detail)
	}
	return int64(n)
}
