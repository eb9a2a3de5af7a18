package message

import (
	"strings"
	"time"
)

// knownFields are the fields that RFC 5322 3.6 and RFC 2045 allow once, as messages have
// them. The addresses in repeats of the first joinedFields of them are joined.
var knownFields = [...]string{
	"from", "reply-to", "to", "cc", "bcc",
	"sender", "subject", "message-id", "in-reply-to", "references", "date",
	"mime-version", "content-type", "content-transfer-encoding",
}

const (
	fromField    = 0
	joinedFields = 5
)

// knownField returns which of knownFields the name is, -1 if none.
func knownField(name string) int {
	for k, known := range knownFields {
		if len(known) == len(name) && strings.EqualFold(known, name) { // names are ASCII
			return k
		}
	}
	return -1
}

// readHeader fills what stands in the header section. Of a field that may stand
// once the last counts: signatures cover that one, and whoever puts another above it
// doesn't break them (RFC 6376 8.15). The addresses of all From, Reply-To, To, Cc and
// Bcc fields are listed.
func (p *parser) readHeader() {
	m := p.msg
	var count, last [len(knownFields)]int
	var few [64]int8
	known := few[:0] // by field
	for i := range m.Header {
		k := knownField(m.Header[i].Name)
		if known = append(known, int8(k)); k < 0 {
			continue
		}
		last[k] = i
		if count[k]++; count[k] > 1 && k != fromField {
			p.defect("", DefectDuplicateField, "the field "+quoteShort(m.Header[i].Name)+" stands more than once")
		}
	}
	for i, k := range known {
		if k >= 0 && (k < joinedFields || i == last[k]) {
			p.readField(knownFields[k], i)
		}
	}
	if count[fromField] > 1 {
		p.defect("", DefectSeveralFrom, "more than one From field")
	}
	if len(m.From) == 0 {
		p.defect("", DefectMissingFrom, "no author")
	}
	m.List = p.listFacts()
}

func (p *parser) readField(name string, i int) {
	m := p.msg
	switch name {
	case "from":
		p.addTo(&m.From, i)
	case "reply-to":
		p.addTo(&m.ReplyTo, i)
	case "to":
		p.addTo(&m.To, i)
	case "cc":
		p.addTo(&m.Cc, i)
	case "bcc":
		p.addTo(&m.Bcc, i)
	case "sender":
		if list := p.addresses(p.field(i), ""); len(list) > 0 {
			m.Sender = &list[0]
		}
	case "subject":
		m.Subject = m.Header[i].Value
	case "message-id":
		m.MessageID = p.messageID(p.field(i))
	case "in-reply-to":
		m.InReplyTo = p.messageIDs(p.field(i))
	case "references":
		m.References = p.messageIDs(p.field(i))
	case "date":
		var ok bool
		if m.Date, ok = ParseDate(p.field(i)); !ok {
			m.Date = time.Time{}
			p.defect("", DefectDate, "the Date is no date")
		}
	}
}

// addTo appends the addresses of Header[i], up to the limit.
func (p *parser) addTo(list *[]Address, i int) {
	if found := p.addresses(p.field(i), ""); *list == nil {
		*list = found
	} else {
		*list = append(*list, found...)
	}
	if len(*list) > p.lim.Addresses {
		*list = (*list)[:p.lim.Addresses]
		p.defect("", DefectAddressLimit, "too many addresses")
	}
}
