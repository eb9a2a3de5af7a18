package config

import "net/netip"

// refusals reads which facts refuse a message, and warns of those that can't: a relay's
// or a user's address says nothing of the sender.
func (d *decoder) refusals(verify *section, relays []netip.Prefix, listeners []Listener) Reject {
	s := d.sub(verify, "reject")
	r := Reject{DMARC: s.flag("dmarc"), SPF: s.flag("spf"), NullMX: s.flag("null_mx"), NoPTR: s.flag("no_ptr")}
	public, strangers := false, false
	for _, l := range listeners {
		public = public || l.Kind == "mx"
		strangers = strangers || l.Kind != "submission"
	}
	everybody := ""
	for _, p := range relays {
		if p.Bits() == 0 {
			everybody = p.String()
		}
	}
	for _, k := range []struct {
		name string
		on   bool
	}{{"spf", r.SPF}, {"no_ptr", r.NoPTR}} {
		switch {
		case !k.on:
		case len(listeners) > 0 && !public:
			d.warn(s.at(k.name), "%s refuses nobody: only a listener of kind mx knows the address of the sender's server; let the relay in front refuse", s.key(k.name))
		case everybody != "":
			d.warn(s.at(k.name), "%s refuses nobody in trusted_relays %s, who is everybody; name your relays alone", s.key(k.name), everybody)
		}
	}
	if r.DMARC && len(listeners) > 0 && !strangers {
		d.warn(s.at("dmarc"), "%s refuses nobody: users who log in are not refused for the domain that they write from", s.key("dmarc"))
	}
	return r
}
