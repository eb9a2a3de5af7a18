package config

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// listeners returns the listeners, by default one mx on :25, and none for a worker.
func (d *decoder) listeners(top *section) []Listener {
	if sourceAlone(top) {
		return nil
	}
	if !top.has("listeners") {
		d.warn(top.place, "the listener :25 has no TLS, so that mail comes in clear; add listeners: [{address: \":25\", tls: {cert_file: cert.pem, key_file: key.pem}}]")
		return []Listener{{Address: ":25", Kind: "mx", TLS: TLS{Mode: "none", MinVersion: "1.2"}}}
	}
	var all []Listener
	for _, n := range d.elements(top, "listeners") {
		l, ok := d.listener(n, all)
		if ok {
			all = append(all, l)
		}
	}
	return all
}

func (d *decoder) listener(n ast.Node, former []Listener) (Listener, bool) {
	s, ok := d.section(n, "listeners[]", "listener")
	if !ok {
		return Listener{}, false
	}
	l := Listener{Address: s.text("address"), Kind: s.text("kind")}
	v, given := s.single["address"]
	switch {
	case !s.has("address"):
		d.fault(s.place, "listener: address is missing; add address: \":25\"")
	case given:
		d.listenerAddress(v, l, former)
	}
	l.TLS = d.listenerTLS(s)
	l.Users = d.users(s, l)
	l.Proxies = d.networks(s, "proxy_protocol")
	if strings.HasPrefix(l.Address, "unix:") && len(l.Proxies) > 0 {
		d.fault(s.at("proxy_protocol"), "listener: proxy_protocol names networks, and who comes by a unix socket has no address; remove it")
	}
	for _, p := range l.Proxies {
		if p.Bits() == 0 {
			d.warn(s.at("proxy_protocol"), "listener: proxy_protocol %s lets every peer choose the address that it is taken for; name the proxies alone", p)
		}
	}
	return l, true
}

// listenerAddress checks where a listener listens, and that lmtp isn't offered to
// strangers: whoever reaches it is taken for a relay of ours.
func (d *decoder) listenerAddress(v scalar, l Listener, former []Listener) {
	for _, o := range former {
		if sameAddress(l.Address, o.Address) {
			d.fault(v.place, "listener: address %s can't be listened at twice", quote(v.raw))
		}
	}
	if path, isUnix := strings.CutPrefix(l.Address, "unix:"); isUnix {
		why := wrongSocketPath(path)
		if l.Kind != "lmtp" {
			why = "a unix socket is for kind lmtp alone; use HOST:PORT"
		}
		if why != "" {
			d.fault(v.place, "listener: address: %s", why)
		}
		return
	}
	if name, isInherited := strings.CutPrefix(l.Address, "systemd:"); isInherited {
		if name == "" || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
			d.fault(v.place, "listener: address: systemd: and the FileDescriptorName of a socket unit, such as systemd:smtp")
		}
		return
	}
	host, port, why := splitAddress(l.Address)
	switch {
	case why != "":
		d.fault(v.place, "listener: address: %s", why)
	case l.Kind != "lmtp":
	case port == "25":
		d.fault(v.place, "listener: address: lmtp must not use port 25 (RFC 2033 5); use 24, or unix:/PATH")
	case !isLoopback(host):
		d.warn(v.place, "listener: whoever reaches an lmtp is taken for your own relay, and SPF is not asked; listen at 127.0.0.1 or unix:/PATH, or keep others away")
	}
}
