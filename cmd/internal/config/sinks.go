package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"mxhook/sinks/payload/formats"
)

// sinkSet is what the routes need to know of the sinks. A sink with a fault is known
// by its name, so that it is not undefined as well.
type sinkSet struct {
	list   []Sink
	names  []string
	places map[string]place
	byName map[string]Sink
	used   map[string]bool
	broken bool // the mapping itself could not be read
	// misnamed tells that a source names what is no sink, so that one may seem unused.
	misnamed bool
}

func (d *decoder) sinks(top *section, delivery Delivery) *sinkSet {
	set := &sinkSet{places: map[string]place{}, byName: map[string]Sink{}, used: map[string]bool{}}
	n := top.values["sinks"]
	if n == nil {
		set.broken = top.has("sinks")
		return set
	}
	list, ok := d.pairs(n, "sinks")
	set.broken = !ok
	for _, p := range list {
		if !isLabel(p.name) {
			d.fault(p.place, "sink %s: a name is at most 64 letters, digits, dots, - and _, a letter or digit first", quote(p.name))
		}
		sink, ok := d.sink(p, delivery, top)
		set.names = append(set.names, p.name)
		set.places[p.name] = p.place
		set.byName[p.name] = sink // for its captures, whatever else is wrong with it
		if !ok {
			continue
		}
		if first := samePath(set.list, sink); first != "" {
			d.fault(p.place, "sink %q writes to the folder of sink %q; give it another path", p.name, first)
		}
		set.list = append(set.list, sink)
	}
	d.checkStores(set)
	d.checkDates(set, delivery)
	d.checkOverflows(set)
	return set
}

// isLabel tells whether s may name a sink or a route: it becomes a metric's label,
// a header's value and a part of file names.
func isLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func samePath(list []Sink, s Sink) string {
	for _, o := range list {
		if o.Dir != nil && s.Dir != nil && filepath.Clean(o.Dir.Path) == filepath.Clean(s.Dir.Path) {
			return o.Name
		}
	}
	return ""
}

// sink reads one sink by the keys of its type.
func (d *decoder) sink(p pair, delivery Delivery, top *section) (Sink, bool) {
	what := fmt.Sprintf("sink %q", p.name)
	before := len(d.problems)
	list, ok := d.pairs(p.value, what)
	if !ok {
		return Sink{}, false
	}
	i := slices.IndexFunc(list, func(p pair) bool { return p.name == "type" })
	if i < 0 {
		d.fault(p.place, "%s: type is missing; add type: webhook or type: dir", what)
		return Sink{}, false
	}
	kind := d.sinkType(list[i], what)
	if kind == "" {
		return Sink{}, false
	}
	s := &section{d: d, name: kind, what: what, place: p.place,
		keys: map[string]place{}, values: map[string]ast.Node{}, single: map[string]scalar{}}
	s.take(list)
	sink := Sink{Name: p.name, Type: kind}
	switch kind {
	case "webhook":
		sink.Webhook = d.webhook(s, delivery, top)
	case "s3":
		sink.S3 = d.s3(s)
	case "sqs":
		sink.SQS = d.sqs(s)
	case "dir":
		if !s.has("path") {
			d.fault(p.place, "%s: path is missing; add path: ./mail", what)
		}
		sink.Dir = &Dir{Path: d.path(s, "path"), URL: d.storeURL(s), Maildir: s.flag("maildir")}
	}
	return sink, !faulty(d.problems[before:])
}

func (d *decoder) sinkType(p pair, what string) string {
	before := len(d.problems)
	v := d.scalar(p.value, what+": type", false)
	if !v.ok {
		return ""
	}
	if !slices.Contains(sinkTypes, v.text) {
		k, _ := find("webhook", "type")
		d.fault(v.place, "%s: type: %s", what, wrongType(k, v))
	}
	if len(d.problems) > before {
		return ""
	}
	return v.text
}

func (d *decoder) webhook(s *section, delivery Delivery, top *section) *Webhook {
	w := &Webhook{
		Format:      s.text("format"),
		Timeout:     time.Duration(s.duration("timeout")),
		Attempts:    int(s.number("attempts")),
		Concurrency: int(s.number("concurrency")),
		FanOut:      s.text("fan_out"),
		Headers:     d.headers(s),
		Secrets:     d.sinkSecrets(s),
		RejectOn:    d.rejectOn(s),
		Include:     d.include(s),
		TLS:         d.clientTLS(s),
		Circuit:     d.circuit(s),
	}
	d.url(s, w)
	d.proxy(s, w)
	if len(w.Captures) > 0 {
		if v, ok := s.single["fan_out"]; ok && w.FanOut == "message" {
			d.warn(v.place, "%s: fan_out: a url with captures is always recipient", s.what)
		}
		w.FanOut = "recipient"
	}
	if kind, _ := formats.Find(w.Format); kind.OneRecipient {
		if v, ok := s.single["fan_out"]; ok && w.FanOut == "message" {
			d.warn(v.place, "%s: fan_out: format %s is always recipient", s.what, w.Format)
		}
		w.FanOut = "recipient"
	}
	if w.Timeout > delivery.Budget {
		p := s.at("timeout")
		if !s.has("timeout") && top.has("delivery") {
			p = top.at("delivery")
		}
		d.warn(p, "%s: timeout %s is longer than delivery.budget %s; a sender is told 451 while an attempt goes on, and sends again", s.what,
			showDuration(int64(w.Timeout)), showDuration(int64(delivery.Budget)))
	}
	return w
}

func (d *decoder) circuit(s *section) Circuit {
	c := d.sub(s, "circuit")
	return Circuit{Failures: int(c.number("failures")), Open: time.Duration(c.duration("open"))}
}

func (d *decoder) clientTLS(s *section) ClientTLS {
	t := d.sub(s, "tls")
	c := ClientTLS{CAFile: t.text("ca_file"), CertFile: t.text("cert_file"), KeyFile: t.text("key_file")}
	if c.CAFile != "" {
		if _, err := readFile(c.CAFile, maxPEM); err != nil {
			d.fault(t.at("ca_file"), "%s: tls: ca_file %s: %v", s.what, quote(t.single["ca_file"].raw), err)
		}
	}
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		d.fault(t.place, "%s: tls: cert_file and key_file belong together; add the other", s.what)
	case c.CertFile != "":
		d.checkPair(s.what+": tls: ", t.single["cert_file"], t.single["key_file"])
	}
	return c
}

func (d *decoder) rejectOn(s *section) []int {
	if !s.has("reject_on") {
		return []int{406}
	}
	codes := []int{}
	k, _ := find(s.name, "reject_on")
	for _, v := range s.texts("reject_on") {
		n, err := strconv.Atoi(v.text)
		switch {
		case !v.ok || err != nil:
		case n < int(k.min) || n > int(k.max):
		case slices.Contains(codes, n):
			d.warn(v.place, "%s: reject_on: %d stands twice", s.what, n)
		default:
			codes = append(codes, n)
		}
	}
	return codes
}

// reservedHeaders are the fields of a request that mxhook sets itself, and those
// that belong to the connection; a name that ends in - is all that begin so.
var reservedHeaders = []string{"webhook-", "content-", "x-mxhook-", "proxy-", "user-agent", "accept", "idempotency-key",
	"connection", "keep-alive", "transfer-encoding", "trailer", "te", "upgrade", "expect"}

func isReserved(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(reservedHeaders, func(r string) bool {
		return name == r || strings.HasSuffix(r, "-") && strings.HasPrefix(name, r)
	})
}
