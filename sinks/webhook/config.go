// Package webhook delivers events by HTTP POST, signed as Standard Webhooks want
// it, with Content-Length and Content-Digest so that a truncated request can't be
// taken for a whole one (RFC 9530).
//
// A Sink never follows a redirect, never uses the environment's proxies, reads at
// most 64 KiB of an answer, and names no path, query, user, header value or secret
// in an error or a log. What an answer means for the sender is one pure function,
// classify; what a failure without an answer means is another, attempt.Failure.Cause.
// Attempts go on inside the budget (the context of Deliver) alone; an attempt whose
// request is written goes on to its own timeout, so that a late yes is known.
//
// It keeps no state between events but its connections, and is safe for concurrent
// use. Sources: RFC 9110, RFC 9530, Standard Webhooks 1.0.
package webhook

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// Config says where and how to post. Only Name and URL are needed.
type Config struct {
	Name   string
	URL    string         // http or https; {name} in path and query stands for a capture of the recipient
	Format payload.Format // default: the native one, with html
	// Secrets are keys of Standard Webhooks: each signs every request. A format's own
	// credentials are the Format's.
	Secrets [][]byte
	Headers map[string]string // added to each request; what mxhook sets itself stays
	Timeout time.Duration     // one attempt; default 25 s
	// Attempts inside the budget, default 2. A connection that was kept alive and
	// breaks before the request was written is renewed once without counting.
	Attempts    int
	Concurrency int          // requests at once, default 64
	FanOut      sinks.FanOut // default FanOutMessage; a URL with captures is FanOutRecipient
	RejectOn    []int        // default 406
	TLS         *tls.Config  // nil: system roots; TLS 1.2 is the least in any case
	Version     string       // for User-Agent
	// Proxy is the URL of an HTTP proxy, as ParseProxy takes it: requests to an https URL
	// go through a tunnel (CONNECT), those to an http URL to the proxy. TLS' authorities hold
	// for an https proxy, too. "" is none; the environment's are never used.
	Proxy string
	// Backoff is the wait before the second attempt, doubled for each further one
	// and spread by half to one and a half; default 500 ms.
	Backoff time.Duration
	// Resolver looks up the URL's host; nil is the system's.
	Resolver *net.Resolver
	Log      *slog.Logger // nil: silent
	Observer sinks.Observer
	Dated    bool // the Format's stores are sinks.Dated
}

// maxAnswer is how many octets of an answer's body are read.
const maxAnswer = 64 << 10

// reserved are the fields of a request that a configuration can't set: ours, and
// those that belong to the connection.
var reserved = []string{
	"User-Agent", "Content-Type", "Content-Length", "Content-Digest", "Content-Encoding", "Webhook-Id",
	"Webhook-Timestamp", "Webhook-Signature", "Idempotency-Key", "Accept", "X-Mxhook-Attempt", "X-Mxhook-Route",
	"Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "Proxy-Connection", "Proxy-Authorization",
}

// Sink posts events to one URL.
type Sink struct {
	config    Config
	target    target
	headers   http.Header
	peer      string // host:port of the URL, and of the proxy: all that errors and logs name
	host      string // Host of the request when a header sets it
	transport *http.Transport
	slots     chan struct{}
	log       *slog.Logger
}

// New returns a Sink. It opens no connection. The errors say what is wrong with
// the configuration and hold nothing secret.
func New(c Config) (*Sink, error) {
	c = c.withDefaults()
	if c.Name == "" {
		return nil, errors.New("a webhook needs a name")
	}
	t, err := parseTarget(c.URL)
	if err != nil {
		return nil, fmt.Errorf("webhook %q: %w", c.Name, err)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("webhook %q: %w", c.Name, err)
	}
	conns, peer, err := c.connections(t)
	if err != nil {
		return nil, fmt.Errorf("webhook %q: %w", c.Name, err)
	}
	s := &Sink{config: c, target: t, peer: peer, slots: make(chan struct{}, c.Concurrency), log: c.Log.With("sink", c.Name)}
	if len(t.captures) > 0 {
		s.config.FanOut = sinks.FanOutRecipient
	}
	if err := s.setHeaders(c.Headers); err != nil {
		return nil, fmt.Errorf("webhook %q: %w", c.Name, err)
	}
	s.transport = conns.Transport()
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.Format == nil {
		c.Format = payload.NativeFormat(payload.Include{HTML: true})
	}
	if c.Timeout == 0 {
		c.Timeout = 25 * time.Second
	}
	if c.Attempts == 0 {
		c.Attempts = 2
	}
	if c.Concurrency == 0 {
		c.Concurrency = 64
	}
	if c.FanOut == "" {
		c.FanOut = sinks.FanOutMessage
	}
	if c.RejectOn == nil {
		c.RejectOn = []int{http.StatusNotAcceptable}
	}
	if c.Backoff == 0 {
		c.Backoff = 500 * time.Millisecond
	}
	if c.Version == "" {
		c.Version = "devel"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.FanOut != sinks.FanOutMessage && c.FanOut != sinks.FanOutRecipient:
		return fmt.Errorf("unknown fan_out %q", c.FanOut)
	case c.Timeout < 0 || c.Attempts < 0 || c.Concurrency < 0 || c.Backoff < 0:
		return errors.New("timeout, attempts, concurrency and backoff must be positive")
	case !httpguts.ValidHeaderFieldValue(c.Version):
		return errors.New("the version doesn't fit into a header field")
	}
	for _, key := range c.Secrets {
		if len(key) == 0 {
			return errors.New("a secret is empty")
		}
	}
	for _, code := range c.RejectOn {
		if code < 400 || code > 599 {
			return fmt.Errorf("reject_on: %d is not a status of 400 to 599", code)
		}
	}
	return nil
}

// setHeaders takes the configured fields, except those that mxhook sets itself.
func (s *Sink) setHeaders(configured map[string]string) error {
	s.headers = http.Header{}
	for name, value := range configured {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("headers: %q is not a header field's name", name)
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("headers: the value of %q has characters that no header field may have", name)
		}
		switch key := textproto.CanonicalMIMEHeaderKey(name); {
		case slices.Contains(reserved, key):
			s.log.Warn("header ignored, mxhook sets it itself", "header", key)
		case key == "Host":
			s.host = value
		default:
			s.headers.Set(key, value)
		}
	}
	return nil
}

// Name returns the sink's name in the configuration.
func (s *Sink) Name() string { return s.config.Name }

// FanOut says how many recipients an event may carry.
func (s *Sink) FanOut() sinks.FanOut { return s.config.FanOut }

// Dated tells whether what the payload names has the date in its place.
func (s *Sink) Dated() bool { return s.config.Dated }

// Captures returns the names of the captures that the URL needs, in the order of
// their first use.
func (s *Sink) Captures() []string { return slices.Clone(s.target.captures) }

// Close closes the connections that wait for use. Deliver must have returned.
func (s *Sink) Close() { s.transport.CloseIdleConnections() }
