package config

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"mxhook/routing"
)

// DevelopmentOptions narrow the development defaults.
type DevelopmentOptions struct {
	To      string   // a webhook's URL in place of the folder
	Domains []string // the served domains; none: every one
	Listen  string   // HOST:PORT, default 127.0.0.1:2525
}

const developmentState = "./mxhook-data"

// Development returns what serves without a configuration file: SMTP on
// 127.0.0.1:2525, the admin address on 127.0.0.1:8025, every recipient accepted by
// the route "all" into the folder ./mxhook-data/mail. The error says which option is
// wrong and holds nothing of the URL.
func Development(o DevelopmentOptions) (*Config, error) {
	d := &decoder{host: os.Hostname}
	top, _ := d.section(nil, "", "")
	hostname := d.hostname(top)
	if faulty(d.problems) {
		hostname = "localhost"
	}
	c := &Config{
		Hostname:  hostname,
		State:     developmentState,
		Log:       d.log(top),
		Admin:     Admin{Address: "127.0.0.1:8025"},
		Listeners: []Listener{{Address: "127.0.0.1:2525", Kind: "mx", TLS: TLS{Mode: "none", MinVersion: "1.2"}}},
		Limits:    d.limits(top),
		Verify:    d.verify(top, nil),
		Delivery:  d.delivery(top),
		Spool:     d.spool(top),
	}
	c.Delivery.Ledger = 0 // the same file is sent again and again
	if o.Listen != "" {
		if _, _, why := splitAddress(o.Listen); why != "" {
			return nil, errors.New(why)
		}
		c.Listeners[0].Address = o.Listen
	}
	sink, err := d.developmentSink(o.To)
	if err != nil {
		return nil, err
	}
	c.Sinks = []Sink{sink}
	c.Routes = []routing.Rule{{Name: "all", Recipient: []string{"*"}, Domains: o.Domains, AnyDomain: len(o.Domains) == 0, Deliver: []string{sink.Name}}}
	if _, faults := routing.Compile(c.Routes, routing.Options{Hostname: hostname}); len(faults) > 0 {
		return nil, errors.New(faults[0].Text)
	}
	return c, nil
}

// developmentSink is the folder, or the webhook at a URL without captures.
func (d *decoder) developmentSink(to string) (Sink, error) {
	if to == "" {
		return Sink{Name: "disk", Type: "dir", Dir: &Dir{Path: filepath.Join(developmentState, "mail")}}, nil
	}
	captures, _, why := checkURL(to)
	switch {
	case why != "":
		return Sink{}, errors.New("the URL " + why)
	case len(captures) > 0:
		return Sink{}, errors.New("the URL uses the capture {" + captures[0] + "}, but without a configuration nothing is captured")
	}
	s, _ := d.section(nil, "webhook", "webhook")
	return Sink{Name: "webhook", Type: "webhook", Webhook: &Webhook{
		URL: Secret(to), Format: s.text("format"), RejectOn: d.rejectOn(s), Include: d.include(s), FanOut: s.text("fan_out"),
		Timeout: time.Duration(s.duration("timeout")), Attempts: int(s.number("attempts")), Concurrency: int(s.number("concurrency")),
		Circuit: d.circuit(s),
	}}, nil
}
