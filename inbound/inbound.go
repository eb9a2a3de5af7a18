// Package inbound is the vocabulary of receiving: what is known of a session, the
// envelope, the message's bytes, and the Handler to whom a listener hands them.
//
// It knows nothing of how mail arrives (inbound/smtpd, inbound/ses) nor of what is
// done with it (cmd/internal/bridge). Words are those of RFC 5321 and RFC 5598.
package inbound

import (
	"context"
	"net/netip"
	"strings"

	"mxhook/inbound/status"
)

// Session is what a listener knows of a connection when a transaction begins. It
// is a value: a transaction keeps the facts of its MAIL.
type Session struct {
	ID         string     // unique in this process's life and beyond; names the session in logs and Received
	Listener   string     // the listener's address as configured
	RemoteIP   netip.Addr // the peer, unmapped (an IPv4 address is never ::ffff:…); zero for one on a unix socket
	RemotePort uint16
	LocalName  string // the name by which we greeted
	HELO       string // argument of EHLO, HELO or LHLO, printable, at most 255 octets
	TLS        *TLS   // nil in clear
	User       string // authenticated user, "" without AUTH
}

// TLS are the facts of an encrypted session, in the words of crypto/tls.
type TLS struct {
	Version    string // "TLS 1.3"
	Cipher     string // "TLS_AES_128_GCM_SHA256"
	ServerName string // the name the client asked for (SNI), "" if it named none
}

// Mail are the facts of a MAIL command that was accepted as syntax.
type Mail struct {
	ReversePath  Path   // zero is the null reverse-path <>
	Protocol     string // "SMTP", "ESMTP", "ESMTPS", "ESMTPSA", "UTF8SMTPS", "LMTP" … (RFC 3848, RFC 6531 4.3)
	SMTPUTF8     bool   // the SMTPUTF8 parameter was given
	Body         string // "7BIT", "8BITMIME", "BINARYMIME", or "" when not given
	DeclaredSize int64  // SIZE= in octets, 0 when not given
	// Provider is the mail service that took the message from its sender before us; nil
	// when the sender's own session was with us.
	Provider *Provider
}

// LMTP tells whether the transaction is one of LMTP (RFC 2033): each recipient gets a
// reply of its own to the message, and the peer is a mail system of ours, not the
// sender's.
func (m Mail) LMTP() bool { return strings.Contains(m.Protocol, "LMTP") }

// Handler takes transactions over from a listener. It is safe for concurrent use.
type Handler interface {
	// Mail begins a transaction. The error is one of package status and is the
	// reply to MAIL. A non-nil Transaction is closed by the caller in any case.
	Mail(ctx context.Context, s Session, m Mail) (Transaction, error)
}

// Transaction is one mail transaction (RFC 5321 3.3): any number of Rcpt, then at
// most one Data, then Close. It is used by one goroutine at a time.
type Transaction interface {
	// Rcpt asks for one recipient; nil accepts it. A recipient that is named twice
	// is accepted twice and delivered once.
	Rcpt(ctx context.Context, forwardPath Path) error

	// Data takes the whole message. The caller keeps its own reference on data and
	// releases it after Data returned; who wants it longer retains it. When Data
	// returns an Answer without an error, the Handler carries the responsibility
	// for the message (RFC 5321 6.1).
	Data(ctx context.Context, data *MailData) Answer

	// Close ends the transaction, whether Data was called or not.
	Close()
}

// Answer is the reply to a message.
type Answer struct {
	// Err is nil for 250; otherwise an error of package status.
	Err error
	// Text follows "250 2.0.0 " when Err is nil: the event's id. Printable ASCII.
	Text string
	// Condition is what is counted when Err is nil: a row whose reply is a 250; nil is
	// status.Delivered.
	Condition *status.Condition
	// Recipients are the answers for each recipient that Rcpt accepted, in that order,
	// where the protocol has one reply for each (LMTP, RFC 2033); nil when all are told
	// this Answer.
	Recipients []Answer
}

// Reply returns the reply that the Answer stands for.
func (a Answer) Reply() status.Reply {
	r := status.ReplyOf(a.Err)
	if a.Err == nil && a.Text != "" {
		r.Text = a.Text
	}
	return r
}
