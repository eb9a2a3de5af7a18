package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"mxhook/cmd/internal/control"
	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks/delivery"
)

// Send implements control.Operations: a stored message takes the way of one that
// comes from a sender, from MAIL to the reply. Unlike a sender it also waits, for as
// long again as the budget, for outcomes that are late, and for those of optional
// sinks.
//
// Nothing is known of who sent it, so that authentication is "none" throughout unless
// m.Verify asks for the look-ups with the address that m gives.
func (b *Bridge) Send(ctx context.Context, m control.Stored, content io.Reader) (control.Report, error) {
	session, mail, err := b.storedEnvelope(m)
	if err != nil {
		return control.Report{}, err
	}
	data, err := b.take(content)
	if status.ConditionOf(err) != status.LocalError && err != nil {
		return control.Report{Reply: status.ReplyOf(err).String(), Recipients: []control.RecipientReply{}, Events: []control.EventOutcome{}}, nil
	} else if err != nil {
		return control.Report{}, control.Invalid("the message broke off; nothing was done with it")
	}
	defer data.Release()
	t, err := b.begin(session, mail)
	if err != nil {
		return control.Report{Reply: status.ReplyOf(err).String(), Recipients: []control.RecipientReply{}, Events: []control.EventOutcome{}}, nil
	}
	t.stored = &stored{again: m.Again}
	t.deferrals, t.waits = newDeferrals(), nil // no sender comes again with it
	t.policy = policy{}                        // an operator's word counts
	if !m.Verify {
		t.examiner = &examiner{hostname: t.parts.hostname}
	}
	t.deliverer = delivery.New(t.parts.delivery) // to wait for its outcomes alone
	report := t.sendStored(ctx, m.Recipients, data)

	waiting, done := context.WithTimeout(ctx, t.parts.budget)
	defer done()
	t.deliverer.Stop(waiting) // what is still running then says so
	go func() {
		t.deliverer.Stop(context.Background()) // each attempt has a time-out of its own
		t.Close()                              // for which Bridge.Stop waits
	}()
	report.Events = t.stored.outcomes()
	report.Complete = strings.HasPrefix(report.Reply, "2") &&
		!slices.ContainsFunc(report.Recipients, func(r control.RecipientReply) bool { return !r.Accepted }) &&
		!slices.ContainsFunc(report.Events, func(e control.EventOutcome) bool { return !e.Outcome.Done() })
	return report, nil
}

// storedEnvelope reads what an operator says of a stored message. The error is for
// the operator.
func (b *Bridge) storedEnvelope(m control.Stored) (s inbound.Session, mail inbound.Mail, err error) {
	ip, err := netip.ParseAddr(cmp.Or(m.RemoteIP, "127.0.0.1"))
	if err != nil {
		return s, mail, control.Invalid(fmt.Sprintf("%q is no IP address", m.RemoteIP))
	}
	reversePath, err := inbound.ParsePath(m.ReversePath, true)
	if err != nil {
		return s, mail, control.Invalid(fmt.Sprintf("the reverse-path %q: %v", m.ReversePath, err))
	}
	if len(m.Recipients) == 0 {
		return s, mail, control.Invalid("the message needs a recipient")
	}
	s = inbound.Session{ID: "replay-" + b.newID()[:12], Listener: "replay", RemoteIP: ip.Unmap(), LocalName: b.config.Hostname,
		HELO: status.CleanText(cmp.Or(m.HELO, "localhost"), 255)}
	isUTF8 := slices.ContainsFunc(append([]string{m.ReversePath}, m.Recipients...), func(a string) bool {
		return strings.ContainsFunc(a, func(r rune) bool { return r > 0x7f })
	})
	return s, inbound.Mail{ReversePath: reversePath, Protocol: "ESMTP", SMTPUTF8: isUTF8}, nil
}

// take reads a stored message. The error wraps status.MessageTooBig or NoStorage, or
// is one of content's.
func (b *Bridge) take(content io.Reader) (*inbound.MailData, error) {
	buffer := b.store.NewBuffer(0)
	defer buffer.Discard()
	source := &remembering{Reader: io.LimitReader(content, b.config.Limits.MessageSize+1)}
	_, err := io.Copy(buffer, source)
	switch {
	case source.err != nil:
		return nil, source.err
	case err != nil:
		return nil, status.NoStorage.Wrap("stored message", err)
	case buffer.Size() > b.config.Limits.MessageSize:
		return nil, status.MessageTooBig.Wrap("stored message", nil)
	}
	return buffer.Freeze()
}

// remembering knows whether it was the reading that failed.
type remembering struct {
	io.Reader
	err error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// sendStored asks for each recipient and sends the message to those that are taken. Who
// is refused after the data is told as who is refused at RCPT.
func (t *transaction) sendStored(ctx context.Context, recipients []string, data *inbound.MailData) (report control.Report) {
	accepted := 0
	for _, recipient := range recipients {
		path, err := inbound.ParsePath(recipient, true)
		if err != nil || path.IsNull() {
			err = status.BadForwardPath.Wrap("stored message", err)
		} else {
			err = t.Rcpt(ctx, path)
		}
		r := control.RecipientReply{Recipient: recipient, Reply: status.RecipientAccepted.Reply().String(), Accepted: err == nil}
		if err != nil {
			r.Reply = status.ReplyOf(err).String()
		} else {
			accepted++
		}
		report.Recipients = append(report.Recipients, r)
	}
	if accepted == 0 {
		report.Reply = status.NoValidRecipients.Reply().String()
		return report
	}
	report.Reply = t.Data(ctx, data).Reply().String()
	next := 0 // of t.recipients, who were accepted at RCPT
	for i := range report.Recipients {
		r := &report.Recipients[i]
		if !r.Accepted {
			continue
		}
		if reply, refused := t.stored.refused[t.recipients[next]]; refused {
			r.Accepted, r.Reply = false, reply.String()
		}
		next++
	}
	return report
}
