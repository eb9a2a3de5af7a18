package config

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"mxhook/routing"
)

// Load reads the file at path as Parse does.
func Load(path string, env func(string) (string, bool)) (*Config, []Problem) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		return nil, []Problem{{File: path, Text: "the file is larger than " + showSize(maxFile)}}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, []Problem{{File: path, Text: "can't be read: " + err.Error()}}
	}
	return Parse(path, data, env)
}

// Parse reads a configuration; name stands for the file in the problems, and env
// looks up environment variables. The problems are in the order of the file. The
// Config is nil if one of them is more than a warning. Parse reads the files that
// secrets and certificates are in.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, []Problem) {
	d := &decoder{file: name, env: env, host: os.Hostname}
	c := d.config(data)
	problems := d.clean()
	if faulty(problems) {
		return nil, problems
	}
	return c, problems
}

// config reads the whole file. What it returns is of use only without faults.
func (d *decoder) config(data []byte) *Config {
	body := d.parse(data)
	if body == nil {
		return nil
	}
	s, ok := d.section(body, "", "")
	if !ok {
		return nil
	}
	c := &Config{
		Hostname: d.hostname(s),
		State:    d.path(s, "state"),
		Log:      d.log(s),
	}
	c.Listeners = d.listeners(s)
	c.Admin = d.admin(s, c.Listeners)
	c.Limits = d.limits(s)
	c.Verify = d.verify(s, c.Listeners)
	c.Delivery = d.delivery(s)
	c.Spool = d.spool(s)
	sinks := d.sinks(s, c.Delivery)
	c.Sinks = sinks.list
	c.Sources = d.sources(s, sinks)
	c.Routes, c.Accepts = d.routes(s, sinks, c)
	return c
}

// sub reads a section that stands in s under its own name.
func (d *decoder) sub(s *section, name string) *section {
	full := name
	if s.name != "" {
		full = s.name + "." + name
	}
	what := name
	if s.what != "" {
		what = s.what + ": " + name
	}
	sub, _ := d.section(s.values[name], full, what)
	if s.values[name] == nil {
		sub.place = s.at(name)
	}
	return sub
}

// hostname returns our name. A wrong one is a fault, one without a dot a warning.
func (d *decoder) hostname(s *section) string {
	name := s.text("hostname")
	v, given := s.single["hostname"]
	if !given {
		if s.has("hostname") {
			return ""
		}
		v.place = s.place
		var err error
		if name, err = d.host(); err != nil || name == "" {
			name = "localhost"
		}
	}
	ascii := routing.Domain(name)
	switch {
	case !isHostname(ascii) && !given:
		d.fault(v.place, "hostname is missing, and this host's name can't stand for it; set hostname: mx.example.com")
	case !isHostname(ascii):
		d.fault(v.place, "hostname must be a host's name such as mx.example.com")
	case !isFQDN(ascii):
		what := "hostname " + quote(v.raw)
		if !given {
			what = "hostname is missing, and this host's name"
		}
		d.warn(v.place, "%s is no fully qualified domain name; other servers may refuse to talk to it; set hostname: mx.example.com", what)
	}
	return ascii
}

func isHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}

// isFQDN tells whether s has a dot, is no address and is not local by its name.
func isFQDN(s string) bool {
	_, err := netip.ParseAddr(s)
	last := s[strings.LastIndexByte(s, '.')+1:]
	return err != nil && strings.Contains(s, ".") && last != "localdomain" && last != "localhost" && last != "local"
}

// path returns a folder's or a file's name, which can't be empty.
func (d *decoder) path(s *section, name string) string {
	p := s.text(name)
	if v, ok := s.single[name]; ok && (p == "" || strings.ContainsRune(p, 0)) {
		d.fault(v.place, "%s must name a path", s.key(name))
	}
	return p
}

func (d *decoder) log(top *section) Log {
	s := d.sub(top, "log")
	return Log{Level: s.text("level"), Format: s.text("format")}
}

func (d *decoder) admin(top *section, listeners []Listener) Admin {
	s := d.sub(top, "admin")
	a := Admin{Address: s.text("address")}
	for _, v := range s.secrets("token") {
		a.Token = Secret(v.text)
	}
	v, given := s.single["address"]
	if !given || a.Address == "" {
		if (a.Token != "" || s.has("token_file")) && !s.has("address") {
			d.warn(s.place, "admin has a token but no address, so that it is off; add address: 127.0.0.1:8025")
		}
		return a
	}
	host, port, why := splitAddress(a.Address)
	if why != "" {
		d.fault(v.place, "admin: address: %s", why)
		return a
	}
	for _, l := range listeners {
		if sameAddress(l.Address, a.Address) && port != "0" {
			d.fault(v.place, "admin: address %s is a listener's too; give it another port", quote(v.raw))
		}
	}
	token, given := s.single["token"]
	switch {
	case isLoopback(host) || a.Token != "" || s.has("token_file"):
	case !s.has("token"):
		d.warn(v.place, "admin: address is not on loopback and there is no token, so that only /healthz and /readyz answer and nobody can read /metrics; add token: \"${ADMIN_TOKEN}\"")
	case given:
		d.warn(token.place, "admin: address is not on loopback and the token is empty, so that only /healthz and /readyz answer and nobody can read /metrics; give it a value")
	}
	return a
}

func (d *decoder) limits(top *section) Limits {
	s := d.sub(top, "limits")
	return Limits{
		MessageSize:      s.size("message_size"),
		Recipients:       int(s.number("recipients")),
		Connections:      int(s.number("connections")),
		ConnectionsPerIP: int(s.number("connections_per_ip")),
		MessagesPerIP:    int(s.number("messages_per_ip")),
		Memory:           s.size("memory"),
		DiskReserve:      s.size("disk_reserve"),
		CommandTime:      time.Duration(s.duration("command_time")),
		MinRate:          s.number("min_rate"),
		TransactionTime:  time.Duration(s.duration("transaction_time")),
		Errors:           int(s.number("errors")),
	}
}

func (d *decoder) verify(top *section, listeners []Listener) Verify {
	s := d.sub(top, "verify")
	v := Verify{Timeout: time.Duration(s.duration("timeout"))}
	for _, e := range s.texts("resolver") {
		if !e.ok {
			continue
		}
		ap, err := netip.ParseAddrPort(e.text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(e.text); err == nil {
				ap = netip.AddrPortFrom(a, 53)
			}
		}
		switch {
		case err != nil || ap.Port() == 0:
			d.fault(e.place, "verify: resolver %s must be IP:PORT such as 127.0.0.1:53", quote(e.raw))
		case slices.Contains(v.Resolver, ap):
			d.warn(e.place, "verify: resolver %s stands twice", quote(e.raw))
		default:
			v.Resolver = append(v.Resolver, ap)
		}
	}
	v.TrustedRelays = d.networks(s, "trusted_relays")
	for _, p := range v.TrustedRelays {
		if p.Bits() == 0 {
			d.warn(s.at("trusted_relays"), "verify: trusted_relays %s is everybody, so that SPF is asked for nobody; name your relays alone", p)
		}
	}
	v.TrustedARCSealers = d.domains(s, "trusted_arc_sealers")
	v.Reject = d.refusals(s, v.TrustedRelays, listeners)
	return v
}

func (d *decoder) spool(top *section) Spool {
	s := d.sub(top, "spool")
	return Spool{MaxBytes: s.size("max_bytes"), MaxAge: time.Duration(s.duration("max_age"))}
}

func (d *decoder) delivery(top *section) Delivery {
	s := d.sub(top, "delivery")
	return Delivery{Budget: time.Duration(s.duration("budget")), Ledger: time.Duration(s.duration("ledger"))}
}

// elements returns the mappings of a list, or nil after a fault.
func (d *decoder) elements(s *section, name string) []ast.Node {
	n := s.values[name]
	if n == nil {
		return nil
	}
	if d.plain(n) == nil {
		return nil
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fault(at(n), "%s must be a list, not %s; begin each element with -", s.key(name), nodeWord(n))
		return nil
	}
	if len(list.Values) == 0 {
		d.fault(at(n), "%s is empty; remove it or add an element", s.key(name))
	}
	return list.Values
}
