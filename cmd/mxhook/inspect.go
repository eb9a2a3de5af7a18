package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// runInspect prints what a sink would be sent for a message.
func runInspect(ctx context.Context, t *terminal, args []string) int {
	f := newFlags(t, "inspect")
	in := inspection{f: f}
	in.file = f.config()
	format := f.String("format", "mxhook", "the payload's format `NAME`: "+strings.Join(formats.Names(), ", "))
	f.StringVar(&in.sink, "sink", "", "what the sink `NAME` of --config is sent, in its format and with its include; nothing is stored")
	f.StringVar(&in.from, "from", "", "the reverse-path `ADDR`, \"\" for the null reverse-path; by default the From field's")
	in.rcpts = f.repeated("rcpt", "a forward-path `ADDR`, repeatable; by default those of To and Cc")
	f.StringVar(&in.ip, "ip", "127.0.0.1", "the client's `ADDR`")
	f.StringVar(&in.helo, "helo", "localhost", "the `NAME` that the client gave in EHLO")
	f.StringVar(&in.hostname, "hostname", "", "our `NAME`: the authserv-id")
	f.BoolVar(&in.verify, "verify", false, "do the DNS look-ups and fill in what the payload says under authentication")
	f.StringVar(&in.resolver, "resolver", "", "the name server for --verify, `HOST:PORT`; by default the system's")
	f.StringVar(&in.time, "time", "", "the clock for signatures, `RFC3339`; by default now")
	f.BoolVar(&in.why, "why", false, "print every method's reasoning step by step on standard error; --verify is implied")
	files, status, ok := f.parse(args, 1, 1)
	if !ok {
		return status
	}
	var known bool
	in.kind, known = formats.Find(*format)
	if !known {
		return f.wrong("format %q is unknown; these are: %s", *format, strings.Join(formats.Names(), ", "))
	}
	if in.sink != "" && (*in.file == "" || f.given("format")) {
		return f.wrong("--sink names a sink of --config, which has its own format")
	}
	if err := in.circumstancesGiven(); err != nil {
		return f.wrong("%v", err)
	}
	content, err := readMessage(t, files[0])
	if err != nil {
		return f.fail("%v", err)
	}
	notes := why.New()
	if in.why {
		in.verify = true
		ctx = why.With(ctx, notes)
	}
	events, err := in.events(ctx, content)
	for _, e := range events {
		if err := printPayload(ctx, t.stdout, e, in.kind, in.format); err != nil {
			return f.fail("%v", err)
		}
	}
	// It stands last, where a person at a terminal looks.
	if in.why {
		fmt.Fprint(t.stderr, in.circumstances)
		if _, err := notes.Print(t.stderr, whyWidth); err != nil {
			return f.fail("%v", err)
		}
	}
	if err != nil {
		return f.fail("%v", err)
	}
	return in.status
}

// whyWidth is how long a line of reasoning may be.
const whyWidth = 80

// inspection is the envelope and the circumstances that the flags give.
type inspection struct {
	f                  *flags
	file               *string
	rcpts              *[]string
	from, ip, helo     string
	hostname, resolver string
	time, sink         string
	verify, why        bool
	kind               formats.Kind // of --format, and then of the sink
	format             payload.Format
	client             netip.Addr
	options            bridge.Options
	circumstances      string // what was looked at, for --why
	status             int    // exitProblem once a recipient was refused
}

// circumstancesGiven reads the flags that say where the message came from and how it is
// verified. The error says which one is wrong.
func (in *inspection) circumstancesGiven() (err error) {
	if in.client, err = netip.ParseAddr(in.ip); err != nil {
		return fmt.Errorf("--ip %q is no IP address", in.ip)
	}
	if in.resolver != "" {
		if !isServer(in.resolver) {
			return fmt.Errorf("--resolver %q: an IP address is wanted, with or without a port, such as 127.0.0.1:53 or [::1]:53", in.resolver)
		}
		in.options.Resolver = dns.New(dns.Config{Servers: []string{in.resolver}})
	}
	if in.time != "" {
		at, err := time.Parse(time.RFC3339, in.time)
		if err != nil {
			return fmt.Errorf("--time %q: RFC 3339 is wanted, such as 2026-11-21T10:00:00Z", in.time)
		}
		in.options.Now = func() time.Time { return at }
	}
	return nil
}

// events makes the events that sinks would get. The envelope is taken as given,
// unchecked, as a peer could send it.
func (in *inspection) events(ctx context.Context, content []byte) ([]*sinks.Event, error) {
	c, err := in.config()
	if err != nil {
		return nil, err
	}
	if err := in.choose(c); err != nil {
		return nil, err
	}
	unrouted, err := in.unrouted(c)
	if err != nil {
		return nil, err
	}
	reversePath, rcpts := in.envelope(content, c.Hostname)
	in.circumstances = in.about(reversePath, in.client, in.options, c)
	return bridge.Inspect(ctx, c, in.options, bridge.Inspection{
		Sink: in.sink, Unrouted: unrouted,
		Refused: func(p inbound.Path, reply string) {
			in.status = in.f.fail("recipient <%s> is refused: %s", p, reply)
		},
		Session:    inbound.Session{ID: "inspect", RemoteIP: in.client.Unmap(), LocalName: c.Hostname, HELO: in.helo},
		Mail:       inbound.Mail{ReversePath: reversePath, Protocol: "ESMTP", SMTPUTF8: isUTF8(reversePath, rcpts)},
		Recipients: rcpts, Data: inbound.NewMailData(content), Verify: in.verify,
	})
}

// about tells a person what the reasoning is about.
func (in *inspection) about(reversePath inbound.Path, ip netip.Addr, o bridge.Options, c *config.Config) string {
	at, resolver := "now", "the system's"
	if o.Now != nil {
		at = o.Now().Format(time.RFC3339)
	}
	var servers []string
	for _, a := range c.Verify.Resolver {
		servers = append(servers, a.String())
	}
	if in.resolver != "" {
		servers = []string{in.resolver}
	}
	if len(servers) > 0 {
		resolver = strings.Join(servers, ", ")
	}
	return fmt.Sprintf("MAIL FROM %s, client %s, EHLO %q\ntime %s, resolver %s\n\n", why.Printable("<"+reversePath.String()+">"), ip, in.helo, at, resolver)
}

// config returns the configuration that routes the message: the file's, or one that
// takes every recipient.
func (in *inspection) config() (c *config.Config, err error) {
	if *in.file == "" {
		c, err = config.Development(config.DevelopmentOptions{})
	} else {
		var good bool
		if c, good = loadConfig(in.f.t, *in.file, in.f.t.stderr); !good {
			err = fmt.Errorf("%s is faulty", *in.file)
		}
	}
	if err == nil && in.hostname != "" {
		c.Hostname = in.hostname
	}
	return c, err
}

// unrouted returns the rule that takes every recipient where there are no routes: without
// a configuration, and of a worker the source that brings its events to the sink; nil
// where routes decide.
func (in *inspection) unrouted(c *config.Config) (*routing.Rule, error) {
	if *in.file == "" {
		return &c.Routes[0], nil
	}
	if len(c.Routes) > 0 {
		return nil, nil
	}
	for _, s := range c.Sources {
		if in.sink != "" && (slices.Contains(s.Deliver, in.sink) || slices.Contains(s.Optional, in.sink)) {
			fmt.Fprintf(in.f.t.stderr, "mxhook inspect: note: a worker's events have the route and captures that the listener gave them; here the route is the source's name, %s\n", s.Name)
			return &routing.Rule{Name: s.Name, Deliver: s.Deliver, Optional: s.Optional}, nil
		}
	}
	if in.sink != "" {
		return nil, fmt.Errorf("%s; sink %q is not among them", noRoutes(c), in.sink)
	}
	return nil, fmt.Errorf("%s; --sink NAME shows what one is sent", noRoutes(c))
}

// noRoutes says what a configuration without routes does instead.
func noRoutes(c *config.Config) string {
	var all []string
	for _, s := range c.Sources {
		for _, sink := range slices.Concat(s.Deliver, s.Optional) {
			if !slices.Contains(all, sink) {
				all = append(all, sink)
			}
		}
	}
	return "this configuration has no routes; its sources deliver to " + strings.Join(all, ", ")
}

// envelope returns what the flags say, and what the header says where they say
// nothing.
func (in *inspection) envelope(content []byte, hostname string) (inbound.Path, []inbound.Path) {
	m := mailing{from: in.from, rcpts: *in.rcpts}
	in.f.skipped(addressFrom(&m, message.Parse(bytes.NewReader(content), int64(len(content)), message.Options{})))
	if in.f.given("from") { // also an empty one
		m.from = in.from
	}
	if len(m.rcpts) == 0 {
		m.rcpts = []string{"postmaster@" + hostname}
	}
	var rcpts []inbound.Path
	for _, r := range m.rcpts {
		rcpts = append(rcpts, looseArgument(r))
	}
	return looseArgument(m.from), rcpts
}

// looseArgument reads an address, and takes apart at the last "@" what is none.
func looseArgument(s string) inbound.Path {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
	if p, err := inbound.ParsePath(s, true); err == nil {
		return p
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return inbound.Path{LocalPart: s[:i], Domain: s[i+1:]}
	}
	return inbound.Path{LocalPart: s}
}

func isUTF8(reversePath inbound.Path, rcpts []inbound.Path) bool {
	for _, p := range append([]inbound.Path{reversePath}, rcpts...) {
		if strings.ContainsFunc(p.String(), func(r rune) bool { return r > 0x7f }) {
			return true
		}
	}
	return false
}
