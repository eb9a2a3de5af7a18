package config

import (
	"net/netip"
	"slices"
	"time"

	"mxhook/routing"
)

// Config is a configuration with every default filled in.
type Config struct {
	Hostname  string // A-labels, lower case, without a trailing dot
	State     string // folder
	Log       Log
	Admin     Admin
	Listeners []Listener
	Limits    Limits
	Verify    Verify
	Delivery  Delivery
	Spool     Spool
	Sinks     []Sink            // in the file's order
	Sources   []Source          // in the file's order
	Routes    []routing.Rule    // in the file's order; routing.Compile takes them without a fault
	Accepts   map[string]Accept // of the routes that ask, by their names
}

// Log says what is logged.
type Log struct {
	Level  string // "debug", "info", "warn" or "error"
	Format string // "json", "text", or "": text on a terminal, else json
}

// Admin is the address of metrics and health.
type Admin struct {
	Address string // host:port; "" is off
	Token   Secret
}

// Listener is one address that takes mail.
type Listener struct {
	Address string // host:port, unix:/path or systemd:name
	Kind    string // "mx", "submission" or "lmtp"
	TLS     TLS
	Proxies []netip.Prefix // of whom a PROXY header is required
	Users   []User         // of kind submission, at least one
}

// Equal tells whether two listeners are the same.
func (l Listener) Equal(o Listener) bool {
	return l.Address == o.Address && l.Kind == o.Kind && l.TLS.Equal(o.TLS) && slices.Equal(l.Proxies, o.Proxies) && slices.Equal(l.Users, o.Users)
}

// User is one that may submit mail.
type User struct {
	Name         string
	PasswordHash Secret // password.Parse takes it
}

// TLS says when a listener speaks TLS, and with which certificates.
type TLS struct {
	Mode         string    // "none", "starttls", "required" or "implicit"
	MinVersion   string    // "1.0", "1.1", "1.2" or "1.3"
	Certificates []KeyPair // none with mode none; the first that suits the client is used
}

// Equal tells whether two listeners' TLS is the same.
func (t TLS) Equal(o TLS) bool {
	return t.Mode == o.Mode && t.MinVersion == o.MinVersion && slices.Equal(t.Certificates, o.Certificates)
}

// KeyPair are the PEM files of a certificate with its chain and of its key.
type KeyPair struct {
	CertFile string
	KeyFile  string
}

// Limits bound what a peer may use.
type Limits struct {
	MessageSize      int64 // octets
	Recipients       int   // of a transaction
	Connections      int
	ConnectionsPerIP int
	MessagesPerIP    int   // a minute; 0 is no limit
	Memory           int64 // octets of messages
	DiskReserve      int64 // octets that stay free
	CommandTime      time.Duration
	MinRate          int64 // octets a second
	TransactionTime  time.Duration
	Errors           int // of a session
}

// Verify says how verdicts are found.
type Verify struct {
	Resolver      []netip.AddrPort // none: the system's
	Timeout       time.Duration
	TrustedRelays []netip.Prefix // behind which no SPF or iprev verdict is invented
	// TrustedARCSealers are domains in lower-case A-labels.
	TrustedARCSealers []string
	Reject            Reject
}

// Reject says which facts refuse a message, besides being told.
type Reject struct {
	DMARC  bool // the author's domain says so, and DMARC fails
	SPF    bool // it says that the peer must not use the sender's domain
	NullMX bool // the sender's domain takes no mail
	NoPTR  bool // the peer's address has no name
}

// Delivery says how long a sender waits, and how long is remembered what it sent.
type Delivery struct {
	Budget time.Duration
	Ledger time.Duration // 0 is off
}

// Spool bounds what waits on disk.
type Spool struct {
	MaxBytes int64 // of waiting and dead events together
	MaxAge   time.Duration
}

// Sink is one that takes events. Exactly one of the pointers is set, as Type says.
type Sink struct {
	Name    string
	Type    string // "webhook", "s3", "sqs" or "dir"
	Webhook *Webhook
	S3      *S3
	SQS     *SQS
	Dir     *Dir
}

// Breaker says when the sink is left alone; false for one that always gets its mail.
func (s Sink) Breaker() (Circuit, bool) {
	switch {
	case s.Webhook != nil:
		return s.Webhook.Circuit, true
	case s.S3 != nil:
		return s.S3.Circuit, true
	case s.SQS != nil:
		return s.SQS.Circuit, true
	}
	return Circuit{}, false
}

// Source is a queue whose events are delivered.
type Source struct {
	Name              string
	Type              string // "sqs"
	QueueURL          string
	Region            string
	Endpoint          string
	Account           Account
	Deliver           []string // sinks, at least one
	Optional          []string
	Concurrency       int           // messages at once
	VisibilityTimeout time.Duration // 0: what the queue says
	Wait              time.Duration // of a long poll
}

// Equal tells whether two sources are the same queue, taken from in the same way. The
// sinks may differ.
func (s Source) Equal(o Source) bool {
	return s.Name == o.Name && s.Type == o.Type && s.QueueURL == o.QueueURL && s.Region == o.Region && s.Endpoint == o.Endpoint &&
		s.Account == o.Account &&
		s.Concurrency == o.Concurrency && s.VisibilityTimeout == o.VisibilityTimeout && s.Wait == o.Wait
}

// Payload is what is written to a sink that has a choice of formats.
type Payload struct {
	Format  string
	Secrets []Secret
	Include Include
	FanOut  string
}

// Payload returns what is written to the sink; ok is false where its type has no choice.
func (s Sink) Payload() (p Payload, ok bool) {
	switch {
	case s.Webhook != nil:
		return Payload{s.Webhook.Format, s.Webhook.Secrets, s.Webhook.Include, s.Webhook.FanOut}, true
	case s.SQS != nil:
		return Payload{Format: s.SQS.Format, Include: s.SQS.Include, FanOut: s.SQS.FanOut}, true
	}
	return Payload{}, false
}

// Webhook is a sink of type webhook.
type Webhook struct {
	URL         Secret // it may hold a password or a token; with {captures} in path and query
	Captures    []string
	Format      string            // "mxhook" or "raw"
	Secrets     []Secret          // Standard Webhooks: whsec_ and base64, or base64 alone
	Headers     map[string]Secret // by name as written
	Timeout     time.Duration
	Attempts    int
	Concurrency int
	FanOut      string // "message" or "recipient", the latter if the URL has captures
	Include     Include
	RejectOn    []int
	Proxy       Secret // the URL of an HTTP proxy, which may hold a password; "" is none
	TLS         ClientTLS
	Circuit     Circuit
}

// Circuit says when a sink that takes nothing is left alone.
type Circuit struct {
	Failures int           // 0 is off
	Open     time.Duration // how long
}

// Accept is the URL that a route asks at RCPT.
type Accept struct {
	URL     Secret // without captures
	Secrets []Secret
	Cache   time.Duration // how long a yes or a no holds; 0 is not at all
}

// Include says what a payload carries.
type Include struct {
	Attachments string // "inline", "metadata" or "store:" and the name of a sink that can store
	Raw         string // "none", "inline" or "store:" and the name of a sink that can store
	HTML        bool
}

// ClientTLS are the files of a webhook's connections; "" where there is none.
type ClientTLS struct {
	CAFile   string
	CertFile string
	KeyFile  string
}

// Dir is a sink of type dir.
type Dir struct {
	Path string
	URL  string // where Path is served, without a final slash; "" is nowhere
	// Maildir says that Path is one, in which nothing else is stored.
	Maildir bool
}
