// Package smtpd is the SMTP and LMTP listener: it answers the dialogue of RFC 5321 and
// RFC 2033 and hands whole messages to an inbound.Handler.
//
// It has two layers. go-smtp keeps the dialogue: the state of a transaction and the
// order of its calls. Beneath it lies the wire (conn), a layer of ours that owns the
// socket: it hands go-smtp one canonical command line at a time and answers itself
// what it refuses, and it owns connection limits, TLS, deadlines, line limits, the
// syntax of commands, the count of errors, the data phase and the text of every
// reply. A message is read to its end before the Handler sees it, so nobody can
// leave bytes behind that would run as commands; a message that can't be read to
// its end is never handed over, and its connection ends.
//
// It knows nothing of routes, verdicts, sinks and passwords.
//
// LMTP is the same dialogue with LHLO in the place of EHLO, and a reply to the message
// for each recipient that was accepted (final.go); go-smtp is not told of it.
//
// Errors: a Handler's error becomes a reply in one place (conn.answer); what wraps no
// status.Condition is 451 4.3.0 and an error in the log. Reply texts come from
// package status, never from a Go error or from the peer.
//
// Concurrency: a Server may serve several listeners. Each connection has one
// goroutine of ours, which owns its life, and one of go-smtp, which runs the
// dialogue; only one of them uses the connection at a time. Stop may be called from
// anywhere.
//
// Sources: RFC 5321, 2033 (LMTP), 1870 (SIZE), 2034 (enhanced codes), 2920 (PIPELINING), 3030
// (CHUNKING, BINARYMIME), 3207 (STARTTLS), 4954 (AUTH), 3848 and 6531 (protocol names, SMTPUTF8),
// 6152 (8BITMIME), 9422 (LIMITS), and the PROXY protocol, versions 1 and 2.
package smtpd

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// TLSMode says when a listener speaks TLS.
type TLSMode string

// The modes. The zero TLSMode is TLSStart with a TLS configuration and TLSNone
// without one.
const (
	TLSNone     TLSMode = "none"
	TLSStart    TLSMode = "starttls" // offered
	TLSRequired TLSMode = "required" // MAIL is refused without it
	TLSImplicit TLSMode = "implicit" // from the first octet on (RFC 8314)
)

// Limits bound what a peer may use. A zero value stands for the default.
type Limits struct {
	MessageSize      int64         // octets of a message; 25 MiB
	Recipients       int           // of a transaction; 100
	Connections      int           // at once; 1000; not used when Config.Limiter is set
	ConnectionsPerIP int           // from one IPv4 address or IPv6 /64; 50; not used when Config.Limiter is set
	MessagesPerIP    int           // that one of those begins in a minute; 0 is no limit; not used when Config.Limiter is set
	CommandTime      time.Duration // for a command line, and between two reads of data; 5 minutes
	MinRate          int64         // octets a second, averaged after the first minute of data; 500
	TransactionTime  time.Duration // from MAIL to the end of data; 1 hour
	Errors           int           // 5xx replies of one session; 20
}

func (l Limits) withDefaults() Limits {
	set(&l.MessageSize, 25<<20)
	set(&l.Recipients, 100)
	set(&l.Connections, 1000)
	set(&l.ConnectionsPerIP, 50)
	set(&l.CommandTime, 5*time.Minute)
	set(&l.MinRate, 500)
	set(&l.TransactionTime, time.Hour)
	set(&l.Errors, 20)
	return l
}

func set[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Config is what a Server is made of. Store and Handler are needed.
type Config struct {
	Listener string      // the address as configured, for Session.Listener, logs and metrics
	Hostname string      // in the greeting, the EHLO reply and Session.LocalName
	TLS      *tls.Config // nil: no TLS; without a MinVersion it is TLS 1.2
	TLSMode  TLSMode
	LMTP     bool // speak LMTP (RFC 2033) in the place of SMTP
	// Authenticate lets AUTH be offered under TLS. Its error wraps status.AuthFailed when
	// the password is not the user's; any other is ours, and the client hears 454.
	Authenticate func(ctx context.Context, user, password string) error
	AuthRequired bool           // MAIL is refused without AUTH
	Proxies      []netip.Prefix // peers of whom a PROXY header is required; from others it is refused
	Limits       Limits
	Limiter      *Limiter // the count of connections and messages; share one to bound several Servers together
	Store        *inbound.Store
	Handler      inbound.Handler
	Log          *slog.Logger // nil: no log
	Observer     Observer     // nil: nobody counts
}

// Observer counts. Its methods are called from many goroutines and must be quick.
type Observer interface {
	ConnectionOpened(listener string)
	ConnectionClosed(listener string)
	// Replied is called once for each reply of the table: all but the greeting and
	// the reply to EHLO, LHLO and HELO, and AUTH's challenges.
	Replied(c *status.Condition)
	// MessageReceived is called when a message has been read to its end.
	MessageReceived(octets int64)
}

type nobody struct{}

func (nobody) ConnectionOpened(string)   {}
func (nobody) ConnectionClosed(string)   {}
func (nobody) Replied(*status.Condition) {}
func (nobody) MessageReceived(int64)     {}
