package config

import (
	"net/url"
	"slices"
	"strings"

	"mxhook/sinks/payload/formats"
)

// storeTypes are the types of sinks that others can store in.
var storeTypes = []string{"dir", "s3"}

// storeUse is a place that names a sink to store in.
type storeUse struct {
	what string // in problems
	name string
	scalar
}

// StoreIn returns the name of the sink that a value of Include stores in; ok is false
// where it stores nothing.
func StoreIn(value string) (name string, ok bool) { return strings.CutPrefix(value, "store:") }

// include reads what a payload carries, and notes the sinks that it stores in.
func (d *decoder) include(s *section) Include {
	kind, _ := formats.Find(s.text("format"))
	return d.included(d.sub(s, "include"), kind)
}

func (d *decoder) included(i *section, kind formats.Kind) Include {
	d.idleInclude(i, kind)
	return Include{
		Attachments: d.includedAs(i, "attachments", []string{"inline", "metadata"}, kind, func(k formats.Kind) bool { return k.AttachmentURL }),
		Raw:         d.includedAs(i, "raw", []string{"none", "inline"}, kind, func(k formats.Kind) bool { return k.RawURL }),
		HTML:        i.flag("html"),
	}
}

// includedAs reads one of the values. can tells which formats have a place for its URL.
func (d *decoder) includedAs(i *section, key string, values []string, kind formats.Kind, can func(formats.Kind) bool) string {
	text := i.text(key)
	v, given := i.single[key]
	what := i.key(key)
	name, stores := StoreIn(text)
	switch {
	case !given || slices.Contains(values, text):
	case !stores || name == "":
		d.fault(v.place, "%s must be %s, or store: and the name of a sink that can store", what, strings.Join(values, ", "))
	case kind.Name != "" && !can(kind):
		d.fault(v.place, "%s: format %s has no place for a URL; use %s, or one of the formats %s", what, kind.Name, strings.Join(values, " or "), strings.Join(formatsThat(can), ", "))
		d.stores = append(d.stores, storeUse{what, name, v})
	default:
		d.stores = append(d.stores, storeUse{what, name, v})
	}
	return text
}

// idleInclude warns of what changes nothing in the payloads of a format.
func (d *decoder) idleInclude(i *section, kind formats.Kind) {
	if v, ok := i.single["raw"]; ok && kind.RawMember != "" && i.text("raw") == "none" {
		d.warn(v.place, "%s has no effect: format %s always has the message in %s", i.key("raw"), kind.Name, kind.RawMember)
	}
	if v, ok := i.single["raw"]; ok && kind.Name != "" && !kind.Raw && i.text("raw") == "inline" {
		d.warn(v.place, "%s has no effect: format %s has no place for the message; those that have one: %s", i.key("raw"), kind.Name,
			strings.Join(formatsThat(func(k formats.Kind) bool { return k.Raw }), ", "))
	}
	why := ""
	switch {
	case kind.Whole:
		why = " has no effect: format " + kind.Name + " carries the message as it stands"
	case kind.RawMember != "":
		why = " makes payloads smaller, but hides nothing: " + kind.RawMember + " of format " + kind.Name + " is the whole message all the same"
	default:
		return
	}
	if v, ok := i.single["attachments"]; ok && i.text("attachments") == "metadata" {
		d.warn(v.place, "%s%s", i.key("attachments"), why)
	}
	if v, ok := i.single["html"]; ok && !i.flag("html") {
		d.warn(v.place, "%s%s", i.key("html"), why)
	}
}

func formatsThat(can func(formats.Kind) bool) (names []string) {
	for _, name := range formats.Names() {
		if k, _ := formats.Find(name); can(k) {
			names = append(names, name)
		}
	}
	return names
}

// checkStores wants the sinks that others store in to be such as can.
func (d *decoder) checkStores(set *sinkSet) {
	var able []string
	for _, name := range set.names {
		if sink := set.byName[name]; slices.Contains(storeTypes, sink.Type) && (sink.Dir == nil || !sink.Dir.Maildir) {
			able = append(able, name)
		}
	}
	use := "add one of type " + strings.Join(storeTypes, " or ")
	if len(able) > 0 {
		use = "sinks that can store: " + strings.Join(able, ", ")
	}
	for _, u := range d.stores {
		set.used[u.name] = true
		sink := set.byName[u.name]
		switch {
		case !slices.Contains(set.names, u.name):
			d.fault(u.place, "%s: sink %s is not defined; %s", u.what, quote(u.name), use)
		case sink.Type == "": // it has a fault of its own
		case sink.Dir != nil && sink.Dir.Maildir:
			d.fault(u.place, "%s: sink %s is a Maildir, which holds messages alone; %s", u.what, quote(u.name), use)
		case !slices.Contains(able, u.name):
			d.fault(u.place, "%s: sink %s is of type %s, which can't store; %s", u.what, quote(u.name), sink.Type, use)
		}
	}
}

// storeURL reads where a folder is served. The keys of what is stored follow its path.
func (d *decoder) storeURL(s *section) string {
	v, given := s.single["url"]
	if !given {
		return ""
	}
	if s.flag("maildir") {
		d.fault(v.place, "%s: url is for what other sinks store here, which maildir: true can't; remove one of them", s.what)
		return ""
	}
	return d.serverURL(v, s.what+": url", "must be written https://HOST[:PORT]/PATH", "has a user, whom each payload would tell; remove it",
		"has a query, a fragment, braces or blanks; only /ID.DIGEST/N is put after it", func(text string) { d.hide(text, redacted) })
}

// serverURL reads the URL of a server that others ask, without a / at its end. form, user
// and rest say what is wrong with one that is no such URL, has a user, or has what can't
// stand in it; hide keeps it out of the problems then.
func (d *decoder) serverURL(v scalar, what, form, user, rest string, hide func(text string)) string {
	u, err := url.Parse(v.text)
	why := ""
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		why = form
	case u.User != nil:
		why = user
	case strings.ContainsAny(v.text, "?#{}") || strings.ContainsFunc(v.text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		why = rest
	}
	if why != "" {
		hide(v.text)
		d.fault(v.place, "%s %s", what, why)
		return ""
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		d.warn(v.place, "%s is http:// beyond loopback, so that mail goes in clear; use https://", what)
	}
	return strings.TrimRight(v.text, "/")
}
