package message

import (
	"io"
	"strings"
	"time"
)

// Bounce is what a notification about the delivery of an earlier message says
// (RFC 3464, RFC 6533, and the texts of mail systems that do without). All of it is
// the sender's word: anybody can write a bounce.
type Bounce struct {
	// Format is "rfc3464" if a delivery-status part was read, "text" if the
	// notification is meant for people and its text was.
	Format             string
	ReportingMTA       string    // name without its type
	ArrivalDate        time.Time // when the reporting MTA got the message; zero if not said
	OriginalEnvelopeID string    // ENVID of the original transaction (RFC 3461)
	Recipients         []BounceRecipient
	OriginalMessageID  string          // with angle brackets
	OriginalHeaders    []OriginalField // as far as they are returned
}

// BounceRecipient is what happened to one recipient.
type BounceRecipient struct {
	Address           string // Final-Recipient
	OriginalRecipient string
	Action            string // failed, delayed, delivered, relayed or expanded
	Status            string // enhanced status code (RFC 3463), "" if none is said
	Reply             string // SMTP reply code, "" if none is said
	Diagnostic        string // the Diagnostic-Code without its type, or what the text says
	RemoteMTA         string // name without its type
}

// deliveryStatus are the media types of RFC 3464 and RFC 6533.
var deliveryStatus = []string{"message/delivery-status", "message/global-delivery-status", "text/delivery-status"}

// bounce returns what the message reports about an earlier one; nil if it is no
// bounce.
func (p *parser) bounce(root *part) *Bounce {
	declared := reportType(root) == "delivery-status"
	b := p.statusBounce(root)
	if b == nil || b.incomplete() {
		text := p.textBounce(root, declared || b != nil)
		switch {
		case text == nil:
		case b == nil || len(b.Recipients) == 0:
			text.take(b)
			b = text
		default:
			b.complete(text.Recipients, transcript(p.msg.Text[:min(len(p.msg.Text), noticeSize)]))
		}
	}
	if b == nil {
		b = p.snsBounce()
	}
	if b == nil {
		return nil
	}
	if fields := p.originalHeader(root); len(fields) > 0 {
		b.OriginalHeaders = fields
	}
	b.OriginalMessageID = p.originalID(b.OriginalHeaders)
	if len(b.Recipients) == 0 {
		p.withinReturned(root, b)
	}
	if len(b.Recipients) == 0 {
		p.addressee(b)
	}
	if len(b.Recipients) == 0 {
		p.defect("", DefectReport, "a bounce that names no recipient")
	}
	return b
}

// incomplete tells whether the text may say what the fields do not.
func (b *Bounce) incomplete() bool {
	for _, r := range b.Recipients {
		if r.Reply == "" {
			return true
		}
	}
	return len(b.Recipients) == 0
}

// take takes from o, which may be nil, what it says about the message.
func (b *Bounce) take(o *Bounce) {
	if o != nil {
		b.ReportingMTA, b.ArrivalDate, b.OriginalEnvelopeID = o.ReportingMTA, o.ArrivalDate, o.OriginalEnvelopeID
	}
}

// complete adds what the notification's text says about the recipients that have no
// diagnostic with a code. A single recipient is the same in both, whatever its name,
// and the transcript of the session is about it.
func (b *Bounce) complete(text []BounceRecipient, transcript string) {
	byAddress := make(map[string]BounceRecipient, len(text))
	for _, r := range text {
		byAddress[strings.ToLower(r.Address)] = r
	}
	for i := range b.Recipients {
		r := &b.Recipients[i]
		t, ok := byAddress[strings.ToLower(r.Address)]
		if !ok && len(text) == 1 && len(b.Recipients) == 1 {
			t, ok = text[0], true
		}
		if len(b.Recipients) == 1 && t.Reply == "" && transcript != "" {
			t.Diagnostic, ok = neutral(transcript), true
			t.Reply, _, _ = findReply(transcript)
		}
		if !ok || r.Reply != "" || t.Reply == "" {
			continue
		}
		if r.Diagnostic == "" || findStatus(r.Diagnostic) == "" {
			r.Diagnostic = t.Diagnostic
			r.finish()
		}
		r.Reply = t.Reply
		if r.RemoteMTA == "" {
			r.RemoteMTA = t.RemoteMTA
		}
	}
}

// withinReturned reads a bounce that returns another one, as gateways do that
// wrap what they got, without naming a recipient: then the inner one counts.
func (p *parser) withinReturned(root *part, b *Bounce) {
	pt := findPart(root, "message/rfc822")
	if pt == nil || p.nested || p.transfer(pt) != identity || !fromDaemon(b.OriginalHeaders) {
		return
	}
	size := pt.end - pt.start
	inner := newParser(io.NewSectionReader(p.r, pt.start, size), size, p.opts)
	inner.nested = true
	inner.run()
	if inner.msg.Bounce != nil {
		*b = *inner.msg.Bounce
	}
}

func fromDaemon(fields []OriginalField) bool {
	for _, f := range fields {
		if strings.EqualFold(f.Name, "From") && strings.Contains(strings.ToLower(f.Value), "mailer-daemon") {
			return true
		}
	}
	return false
}

// addressee takes the one addressee of the returned message for the recipient of a
// bounce that names none.
func (p *parser) addressee(b *Bounce) {
	if fromDaemon(b.OriginalHeaders) {
		return // its addressee is who wrote the message
	}
	var to []Address
	quiet := newParser(nil, 0, p.opts)
	for _, f := range b.OriginalHeaders {
		if strings.EqualFold(f.Name, "To") {
			to = append(to, quiet.addresses(f.Value, "")...)
		}
	}
	if len(to) == 1 && to[0].Address != "" {
		b.Recipients = []BounceRecipient{{Address: to[0].Address, Action: "failed"}}
	}
}

// statusBounce reads the delivery-status part; nil without one.
func (p *parser) statusBounce(root *part) *Bounce {
	pt := findPart(root, deliveryStatus...)
	if pt == nil {
		return nil
	}
	b := &Bounce{Format: "rfc3464"}
	p.readStatus(b, p.partText(pt), pt.num)
	if len(b.Recipients) == 0 {
		p.defect(pt.num, DefectReport, "a delivery status without a recipient")
	}
	return b
}

// readStatus reads groups of fields: one about the message, one for each recipient.
// Mailers that forget the blank lines between them are understood.
func (p *parser) readStatus(b *Bounce, text, num string) {
	for _, group := range fieldGroups(text, p.lim.Addresses) {
		var r BounceRecipient
		given := false
		for _, f := range group {
			if f.name == "final-recipient" && r.Address != "" {
				b.Recipients = append(b.Recipients, r)
				r = BounceRecipient{}
			}
			given = p.statusField(b, &r, f, num) || given
		}
		last := len(b.Recipients) - 1
		switch {
		case !given:
		case r.Address == "" && r.OriginalRecipient == "" && last >= 0:
			b.Recipients[last].fill(r)
		default:
			b.Recipients = append(b.Recipients, r)
		}
	}
	for i := range b.Recipients {
		b.Recipients[i].finish()
	}
}

// statusField takes one field; false if it is not about a recipient.
func (p *parser) statusField(b *Bounce, r *BounceRecipient, f reportField, num string) bool {
	value := p.reportValue(f, num)
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	switch f.name {
	case "reporting-mta":
		set(&b.ReportingMTA, typed(value))
	case "original-envelope-id":
		set(&b.OriginalEnvelopeID, value)
	case "arrival-date":
		if b.ArrivalDate.IsZero() {
			b.ArrivalDate, _ = ParseDate(value)
		}
	case "final-recipient":
		set(&r.Address, reportAddress(value))
		return true
	case "original-recipient":
		set(&r.OriginalRecipient, reportAddress(value))
		return true
	case "action":
		set(&r.Action, strings.ToLower(firstToken(strings.Trim(value, "<>"))))
		return true
	case "status":
		set(&r.Status, value)
		return true
	case "diagnostic-code":
		set(&r.Diagnostic, typed(value))
		return true
	case "remote-mta":
		set(&r.RemoteMTA, typed(value))
		return true
	}
	return false
}

// fill takes from o what r does not say.
func (r *BounceRecipient) fill(o BounceRecipient) {
	for _, x := range []struct {
		to   *string
		from string
	}{{&r.Action, o.Action}, {&r.Status, o.Status}, {&r.Diagnostic, o.Diagnostic}, {&r.RemoteMTA, o.RemoteMTA}} {
		if *x.to == "" {
			*x.to = x.from
		}
	}
}

// finish makes codes of what was read. The enhanced code that the remote server's
// reply quotes wins over the Status field, which is what the reporting MTA made of
// it; any that stands in the diagnostic wins over one that says nothing (5.0.0).
func (r *BounceRecipient) finish() {
	if r.Address == "" {
		r.Address = r.OriginalRecipient
	}
	status := findStatus(r.Status)
	reply, exact, joined := findReply(r.Diagnostic)
	if exact != "" && (joined && !strings.HasSuffix(exact, ".0.0") || status == "" || strings.HasSuffix(status, ".0.0")) {
		status = exact
	}
	r.Status = status
	r.Reply = reply
	switch r.Action {
	case "failed", "delayed", "delivered", "relayed", "expanded":
	case "fail", "failure":
		r.Action = "failed"
	case "delay", "deferred":
		r.Action = "delayed"
	default:
		r.Action = actionOf(status, reply)
	}
}

// actionOf says by the codes what happened, where no action is given.
func actionOf(status, reply string) string {
	switch code := (status + reply + "5")[0]; code {
	case '2':
		return "delivered"
	case '4':
		return "delayed"
	}
	return "failed"
}
