package status

// Condition is one row of the table: a name for logs and metrics, the reply that
// it gets and whether the connection ends with it. Only this package makes them.
type Condition struct {
	name   string
	reply  Reply
	closes bool
}

// Name returns the row's name, a closed set: it is the metric label.
func (c *Condition) Name() string { return c.name }

// Reply returns the row's reply.
func (c *Condition) Reply() Reply { return c.reply }

// Class returns the class of the row's reply.
func (c *Condition) Class() Class { return c.reply.Class() }

// Closes tells whether the connection is closed after the reply. Every 421 does,
// and 521.
func (c *Condition) Closes() bool { return c.closes }

// Wrap returns an error that says that c was met while doing op, because of err,
// which may be nil. Both are for the log.
func (c *Condition) Wrap(op string, err error) error {
	return &Error{Condition: c, Op: op, Err: err}
}

// WithReply is Wrap with a reply of its own, for what the configuration or a sink
// words itself. A reply that isn't of class 4 or 5, or is a 421, is ignored.
func (c *Condition) WithReply(op string, err error, r Reply) error {
	e := &Error{Condition: c, Op: op, Err: err}
	if cl := r.Class(); (cl == Temporary || cl == Permanent) && r.Code != 421 {
		e.reply = &r
	}
	return e
}

func row(name string, code, a, b, c int, text string) *Condition {
	return &Condition{name: name, reply: Reply{code, [3]int{a, b, c}, text}, closes: code == 421 || code == 521}
}

// The conditions of a connection.
var (
	TooManyConnections        = row("too_many_connections", 421, 4, 4, 5, "too many connections, try again later")
	TooManyConnectionsPerPeer = row("too_many_connections_per_ip", 421, 4, 7, 0, "too many connections from your address")
	TooManyMessages           = row("too_many_messages_per_ip", 450, 4, 7, 1, "too many messages from your address")
	ShuttingDown              = row("shutting_down", 421, 4, 3, 2, "shutting down, try again later")
	TimedOut                  = row("timed_out", 421, 4, 4, 2, "timed out")
	TooManyErrors             = row("too_many_errors", 421, 4, 7, 0, "too many errors")
	InternalError             = row("internal_error", 421, 4, 3, 0, "internal error")
)

// The conditions of a command.
var (
	BadGreeting        = row("bad_ehlo", 501, 5, 5, 2, "EHLO needs a domain or an address literal")
	BadSequence        = row("bad_sequence", 503, 5, 5, 1, "command out of sequence")
	BadArguments       = row("bad_arguments", 501, 5, 5, 4, "syntax error in the arguments")
	LineTooLong        = row("line_too_long", 500, 5, 5, 2, "command line too long")
	BareNewline        = row("bare_newline", 500, 5, 5, 2, "command lines end with CR LF")
	UnknownCommand     = row("unknown_command", 500, 5, 5, 2, "command not recognized")
	NeedsLHLO          = row("needs_lhlo", 500, 5, 5, 1, "this is LMTP, say LHLO")
	NotImplemented     = row("not_implemented", 502, 5, 5, 1, "command not implemented")
	TLSRequired        = row("tls_required", 530, 5, 7, 0, "must issue STARTTLS first")
	AuthRequired       = row("auth_required", 530, 5, 7, 0, "authentication required")
	AuthFailed         = row("auth_failed", 535, 5, 7, 8, "authentication failed")
	AuthNeedsTLS       = row("auth_needs_tls", 538, 5, 7, 11, "encryption required for authentication")
	AuthMechanism      = row("auth_mechanism", 504, 5, 5, 4, "authentication mechanism not offered")
	BadAuthResponse    = row("bad_auth_response", 501, 5, 5, 2, "the response is not one of the mechanism in base64")
	AuthLineTooLong    = row("auth_line_too_long", 500, 5, 5, 6, "authentication line too long")
	AuthCancelled      = row("auth_cancelled", 501, 5, 7, 0, "authentication cancelled")
	AuthUnavailable    = row("auth_unavailable", 454, 4, 7, 0, "authentication temporarily unavailable")
	BadReversePath     = row("bad_reverse_path", 501, 5, 1, 7, "bad sender address syntax")
	BadForwardPath     = row("bad_forward_path", 501, 5, 1, 3, "bad recipient address syntax")
	NeedsSMTPUTF8      = row("needs_smtputf8", 553, 5, 6, 7, "the address needs SMTPUTF8")
	UnknownParameter   = row("unknown_parameter", 555, 5, 5, 4, "parameter not recognized or not implemented")
	DeclaredTooBig     = row("declared_too_big", 552, 5, 3, 4, "message size exceeds the limit")
	NoStorage          = row("no_storage", 452, 4, 3, 1, "insufficient storage, try again later")
	NullMX             = row("null_mx", 550, 5, 7, 27, "the sender's domain does not accept mail")
	NoPTR              = row("no_ptr", 550, 5, 7, 25, "your address has no name (PTR record)")
	RelayDenied        = row("relay_denied", 550, 5, 7, 1, "relaying denied")
	UnknownRecipient   = row("unknown_recipient", 550, 5, 1, 1, "no such recipient")
	RouteRejects       = row("route_rejects", 550, 5, 7, 1, "refused by the recipient's policy")
	LookupUnavailable  = row("lookup_unavailable", 451, 4, 3, 0, "temporary lookup failure")
	SinkCircuitOpen    = row("sink_circuit_open", 451, 4, 4, 1, "destination not answering")
	TooManyRecipients  = row("too_many_recipients", 452, 4, 5, 3, "too many recipients")
	NoRecipientTried   = row("no_recipient_tried", 503, 5, 5, 1, "RCPT first")
	NoValidRecipients  = row("no_valid_recipients", 554, 5, 5, 1, "no valid recipients")
	MalformedBDAT      = row("malformed_bdat", 521, 5, 5, 4, "BDAT needs a size and perhaps LAST")
	TLSAlreadyActive   = row("tls_already_active", 503, 5, 5, 1, "TLS is already active")
	TLSTemporarilyGone = row("tls_unavailable", 454, 4, 7, 0, "TLS temporarily unavailable")
)

// The conditions after the final dot.
var (
	Delivered          = row("delivered", 250, 2, 0, 0, "OK")
	AlreadyDelivered   = row("already_delivered", 250, 2, 0, 0, "already delivered")
	MessageTooBig      = row("message_too_big", 552, 5, 3, 4, "message size exceeds the limit")
	AmbiguousEnd       = row("ambiguous_end_of_data", 521, 5, 5, 2, "ambiguous end of data, bare CR or LF beside a dot")
	MailLoop           = row("mail_loop", 554, 5, 4, 6, "too many hops, mail loop")
	PolicyDMARC        = row("dmarc_reject", 550, 5, 7, 1, "refused by the DMARC policy of the author's domain")
	PolicySPF          = row("spf_reject", 550, 5, 7, 23, "refused by the SPF record of the sender's domain")
	VerdictUnavailable = row("verdict_unavailable", 451, 4, 4, 3, "a needed DNS answer is not available, try again later")
	ConditionsNotMet   = row("conditions_not_met", 550, 5, 7, 1, "refused by the recipient's conditions")
	InProgress         = row("delivery_in_progress", 451, 4, 4, 5, "the same message is being delivered, try again later")
	BudgetExceeded     = row("budget_exceeded", 451, 4, 4, 5, "delivery takes too long, try again later")
	PartlyDelivered    = row("partly_delivered", 451, 4, 3, 0, "partly delivered, try again")
	LocalError         = row("local_error", 451, 4, 3, 0, "temporary local error, try again later")
)

// The conditions of a sink.
var (
	SinkUnavailable = row("sink_unavailable", 451, 4, 4, 1, "destination not answering")
	SinkTimeout     = row("sink_timeout", 451, 4, 4, 1, "destination not answering in time")
	SinkDNS         = row("sink_dns", 451, 4, 4, 3, "destination's name can't be resolved now")
	SinkTLS         = row("sink_tls", 451, 4, 7, 5, "secure connection to the destination failed")
	SinkFailed      = row("sink_failed", 451, 4, 3, 0, "destination failed")
	SinkBusy        = row("sink_busy", 451, 4, 4, 5, "destination is busy")
	SinkOperator    = row("sink_misconfigured", 451, 4, 3, 5, "destination is misconfigured")
	SinkDeferred    = row("sink_deferred", 451, 4, 3, 0, "deferred by the destination")
	SinkRefused     = row("sink_refused", 550, 5, 7, 1, "refused by the destination")
	SinkTooBig      = row("sink_too_big", 552, 5, 3, 4, "message too big for the destination")
)

// The replies of a session in which all goes well.
var (
	ReadyForTLS       = row("ready_for_tls", 220, 2, 0, 0, "ready to start TLS")
	Bye               = row("bye", 221, 2, 0, 0, "closing the connection")
	Done              = row("done", 250, 2, 0, 0, "OK")
	Authenticated     = row("authenticated", 235, 2, 7, 0, "authenticated")
	SenderAccepted    = row("sender_accepted", 250, 2, 1, 0, "sender OK")
	RecipientAccepted = row("recipient_accepted", 250, 2, 1, 5, "recipient OK")
	ChunkReceived     = row("chunk_received", 250, 2, 0, 0, "chunk received")
	NotVerified       = row("vrfy", 252, 2, 5, 0, "send some mail, I'll try my best")
	Help              = row("help", 214, 2, 0, 0, "see RFC 5321")
	StartMailInput    = row("start_mail_input", 354, 0, 0, 0, "end data with <CR><LF>.<CR><LF>")
)

// All returns every row, in the order of the table. The slice is the caller's.
func All() []*Condition {
	return []*Condition{
		TooManyConnections, TooManyConnectionsPerPeer, TooManyMessages, ShuttingDown, TimedOut, TooManyErrors, InternalError,
		BadGreeting, BadSequence, BadArguments, LineTooLong, BareNewline, UnknownCommand, NeedsLHLO, NotImplemented, TLSRequired, AuthRequired,
		AuthFailed, AuthNeedsTLS, AuthMechanism, BadAuthResponse, AuthLineTooLong, AuthCancelled, AuthUnavailable, BadReversePath, BadForwardPath, NeedsSMTPUTF8, UnknownParameter,
		DeclaredTooBig, NoStorage, NullMX, NoPTR, RelayDenied, UnknownRecipient, RouteRejects, LookupUnavailable, SinkCircuitOpen,
		TooManyRecipients, NoRecipientTried, NoValidRecipients, MalformedBDAT, TLSAlreadyActive, TLSTemporarilyGone,
		Delivered, AlreadyDelivered, MessageTooBig, AmbiguousEnd, MailLoop, PolicyDMARC, PolicySPF, VerdictUnavailable,
		ConditionsNotMet, InProgress, BudgetExceeded, PartlyDelivered, LocalError,
		SinkUnavailable, SinkTimeout, SinkDNS, SinkTLS, SinkFailed, SinkBusy, SinkOperator, SinkDeferred, SinkRefused, SinkTooBig,
		ReadyForTLS, Bye, Done, Authenticated, SenderAccepted, RecipientAccepted, ChunkReceived, NotVerified, Help, StartMailInput,
	}
}
