package smtpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// handler is an inbound.Handler that records, and fails as a test says. The local part
// of a path chooses what happens to it.
type handler struct {
	mu       sync.Mutex
	sessions []inbound.Session
	mails    []inbound.Mail
	rcpts    []inbound.Path
	messages []string
	refs     []*inbound.MailData
	opened   int
	closed   int

	data func(ctx context.Context, d *inbound.MailData) inbound.Answer // nil: delivered
}

// failures are the errors that a local part asks for, at MAIL and at RCPT.
var failures = map[string]error{
	"plain":     errors.New("dial tcp 10.0.0.1:443: secret internal text"),
	"wrapped":   fmt.Errorf("op: %w", errors.New("secret internal text")),
	"unknown":   status.UnknownRecipient.Wrap("route", nil),
	"relay":     status.RelayDenied.Wrap("route", nil),
	"circuit":   status.SinkCircuitOpen.Wrap("route", errors.New("secret internal text")),
	"lookup":    status.LookupUnavailable.Wrap("route", nil),
	"nullmx":    status.NullMX.Wrap("mail", nil),
	"messages":  status.TooManyMessages.Wrap("mail", nil),
	"storage":   status.NoStorage.Wrap("mail", nil),
	"spf":       status.PolicySPF.Wrap("mail", nil),
	"success":   status.Delivered.Wrap("odd", nil),
	"inject":    status.RouteRejects.WithReply("route", nil, status.Reply{Code: 550, Enhanced: [3]int{5, 1, 6}, Text: "moved\r\n250 2.0.0 injected\x1b"}),
	"shutdown":  status.ShuttingDown.Wrap("route", nil),
	"configure": status.RouteRejects.WithReply("route", nil, status.Reply{Code: 550, Enhanced: [3]int{5, 1, 6}, Text: "the mailbox has moved"}),
}

// failure returns the error of a name: one of failures, or a row of the table by its
// name after "row-".
func failure(name string) error {
	if row, ok := strings.CutPrefix(name, "row-"); ok {
		for _, c := range status.All() {
			if c.Name() == row {
				return c.Wrap("test", errors.New("secret internal text"))
			}
		}
	}
	return failures[name]
}

// answerOf returns the answer to a message for the failure of a name, which may be a
// row that is a success.
func answerOf(name string) inbound.Answer {
	err := failure(name)
	if c := status.ConditionOf(err); strings.HasPrefix(name, "row-") && c.Class() == status.Success {
		return inbound.Answer{Condition: c, Text: "already delivered as msg_test"}
	}
	return inbound.Answer{Err: err}
}

func (h *handler) Mail(_ context.Context, s inbound.Session, m inbound.Mail) (inbound.Transaction, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.ReversePath.LocalPart == "panic" {
		panic("MAIL")
	}
	if m.ReversePath.LocalPart == "nothing" {
		return nil, nil
	}
	h.opened++
	h.sessions, h.mails = append(h.sessions, s), append(h.mails, m)
	return &tx{h: h, m: m}, failure(m.ReversePath.LocalPart)
}

func (h *handler) count() (messages, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.messages), h.opened - h.closed
}

type tx struct {
	h     *handler
	m     inbound.Mail
	rcpts []inbound.Path
}

func (t *tx) Rcpt(_ context.Context, p inbound.Path) error {
	if p.LocalPart == "panic" {
		panic("RCPT")
	}
	if err := failure(p.LocalPart); err != nil {
		return err
	}
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	t.h.rcpts, t.rcpts = append(t.h.rcpts, p), append(t.rcpts, p)
	return nil
}

func (t *tx) Data(ctx context.Context, d *inbound.MailData) inbound.Answer {
	b, err := io.ReadAll(d.Open())
	if err != nil || int64(len(b)) != d.Size() {
		return inbound.Answer{Err: err}
	}
	if strings.Contains(string(b), "panic now") {
		panic("DATA")
	}
	t.h.mu.Lock()
	t.h.messages = append(t.h.messages, string(b))
	t.h.refs = append(t.h.refs, d)
	f := t.h.data
	t.h.mu.Unlock()
	if name, ok := strings.CutPrefix(strings.SplitN(string(b), "\r\n", 2)[0], "Fail: "); ok {
		return answerOf(name)
	}
	if f != nil {
		return f(ctx, d)
	}
	if strings.HasPrefix(string(b), "Each") {
		return t.each(string(b))
	}
	return inbound.Answer{Text: "msg_test"}
}

// each answers for each recipient: after-NAME gets the failure of that name.
func (t *tx) each(message string) (a inbound.Answer) {
	for _, p := range t.rcpts {
		if name, ok := strings.CutPrefix(p.LocalPart, "after-"); ok {
			a.Recipients = append(a.Recipients, inbound.Answer{Err: failures[name]})
			continue
		}
		a.Recipients = append(a.Recipients, inbound.Answer{Text: "msg_" + p.LocalPart})
	}
	a.Err = status.PartlyDelivered.Wrap("data", nil)
	if strings.HasPrefix(message, "Each but one") {
		a.Recipients = a.Recipients[1:]
	}
	return a
}

func (t *tx) Close() {
	t.h.mu.Lock()
	t.h.closed++
	t.h.mu.Unlock()
	if t.m.ReversePath.LocalPart == "panic-close" {
		panic("Close")
	}
}
