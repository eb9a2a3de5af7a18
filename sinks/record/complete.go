package record

import (
	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/trace"
	"mxhook/verify/authres"
)

// Complete gives an event its bytes, and the Message that is parsed from them. The error
// is ErrRecord when they can't be the event's, else one of reading data. The reference
// on data stays the caller's.
func Complete(e *sinks.Event, data *inbound.MailData) error {
	if n := len(e.Cut); n > 0 && e.Cut[n-1].End > data.Size() {
		return ErrRecord
	}
	e.Data = data
	e.Message = message.Parse(data, data.Size(), message.Options{SMTPUTF8: e.Mail.SMTPUTF8, NullReversePath: e.Mail.ReversePath.IsNull()})
	// It was asked at reception what leaves a raw copy; here it marks the message.
	_, err := trace.Cut(data, e.Message, func(body string) bool { return authres.Claims(body, e.Hostname) })
	return err
}
