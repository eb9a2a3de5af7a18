package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"mxhook/inbound/status"
	"mxhook/routing"
)

// route is a rule with what is known of its place.
type route struct {
	rule    routing.Rule
	section *section
	lists   map[string][]scalar // the elements of recipient, sender and domains, and of conditions
	when    *section            // nil without conditions, and where they are none
	fields  map[string]place    // the names in the header of when
	// complete is false where conditions had a fault.
	complete bool
	accept   Accept // where rule.Asks
}

func (d *decoder) routes(top *section, sinks *sinkSet, c *Config) ([]routing.Rule, map[string]Accept) {
	if sourceAlone(top) {
		d.unusedSinks(top, sinks)
		return nil, nil
	}
	if !top.has("routes") {
		d.fault(top.place, "routes is missing; add routes: [{recipient: \"@in.example.com\", deliver: [SINK]}]")
		return nil, nil
	}
	elements := d.elements(top, "routes")
	var routes []route
	complete := true
	for i, n := range elements {
		r, ok := d.route(n, i, sinks, c)
		if ok {
			d.spooling(&r, c.Delivery.Ledger)
			routes = append(routes, r)
		}
		complete = complete && ok && r.complete
	}
	rules := make([]routing.Rule, len(routes))
	var accepts map[string]Accept
	for i, r := range routes {
		rules[i] = r.rule
		if r.rule.Asks && accepts == nil {
			accepts = map[string]Accept{}
		}
		if r.rule.Asks {
			accepts[r.rule.Name] = r.accept
		}
	}
	d.checkOverflowFolders(routes, sinks)
	d.compile(rules, routes, c.Hostname, complete)
	if complete && len(routes) > 0 {
		d.unusedSinks(top, sinks)
	}
	return rules, accepts
}

func (d *decoder) unusedSinks(top *section, sinks *sinkSet) {
	if sinks.broken || sinks.misnamed {
		return
	}
	by := "route"
	if top.has("sources") {
		by = "route and no source"
	}
	for _, name := range sinks.names {
		reads := top.has("sources") && sinks.byName[name].Type == "s3" // what messages of a queue point to
		if !sinks.used[name] && !reads {
			d.warn(sinks.places[name], "sink %q is used by no %s", name, by)
		}
	}
}

// route reads one route. Where a value has a fault, the rule holds something in its
// place that keeps routing from finding a second fault in the same thing.
func (d *decoder) route(n ast.Node, i int, sinks *sinkSet, c *Config) (route, bool) {
	s, ok := d.section(n, "routes[]", routeTitle(n, i))
	if !ok {
		return route{}, false
	}
	r := route{section: s, lists: map[string][]scalar{}, fields: map[string]place{}}
	r.rule.Name = s.text("name")
	if v, ok := s.single["name"]; ok {
		if !isLabel(v.text) {
			d.fault(v.place, "%s: name %s must be at most 64 letters, digits, dots, - and _, a letter or digit first", s.what, quote(v.raw))
		}
	} else {
		r.rule.Name = strconv.Itoa(i + 1)
	}
	r.rule.Recipient = r.texts("recipient")
	r.rule.Domains = r.texts("domains")
	r.rule.Sender = r.texts("sender")
	if s.has("sender") && len(r.rule.Sender) == 0 && s.values["sender"] != nil {
		d.fault(s.at("sender"), "%s: sender is an empty list; remove it", s.what)
	}
	r.rule.Continue = s.flag("continue")
	r.rule.Discard = s.flag("discard")
	r.rule.Repeat = !s.flag("deduplicate")
	d.reject(&r)
	d.accept(&r)
	r.complete = d.when(&r, c)
	r.rule.Deliver = d.sinkNames(&r, "deliver", sinks)
	r.rule.Optional = d.sinkNames(&r, "optional", sinks)
	return r, true
}

// routeTitle is how problems name a route: by its name, if it has a good one, or by
// its number.
func routeTitle(n ast.Node, i int) string {
	if m, ok := n.(*ast.MappingNode); ok {
		for _, v := range m.Values {
			name, isText := v.Value.(*ast.StringNode)
			if k, ok := v.Key.(*ast.StringNode); ok && isText && k.Value == "name" && isLabel(name.Value) {
				return fmt.Sprintf("route %q", name.Value)
			}
		}
	}
	return "route " + strconv.Itoa(i+1)
}

// texts returns the elements of a list, "" for one with a fault.
func (r *route) texts(name string) []string {
	if r.section.has(name) && r.section.values[name] == nil {
		r.lists[name] = []scalar{{place: r.section.keys[name]}}
	} else {
		r.lists[name] = r.section.texts(name)
	}
	var texts []string
	for _, v := range r.lists[name] {
		if v.expanded {
			r.section.d.hideParts(v)
		}
		texts = append(texts, v.text)
	}
	return texts
}

var (
	inBraces = regexp.MustCompile(`\{[^}]*\}`)
	inQuotes = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\{[^}]*\}`)
)

// hideParts keeps what a pattern took from a variable out of the problems that name
// a part of it: its domain, its captures.
func (d *decoder) hideParts(v scalar) {
	domain := v.text[strings.LastIndexByte(v.text, '@')+1:]
	for _, s := range append(inBraces.FindAllString(v.text, -1), domain, routing.Domain(domain)) {
		if !strings.Contains(v.raw, s) {
			d.hide(s, "…")
		}
	}
}

func (d *decoder) reject(r *route) {
	v, ok := r.section.single["reject"]
	if !ok {
		if r.section.has("reject") {
			r.rule.Reject = &status.Reply{Code: 550}
		}
		return
	}
	reply, err := status.ParseReply(v.text)
	if err != nil {
		reply.Code = 550
		text := strings.ReplaceAll(err.Error(), strconv.Quote(v.text), quote(v.raw))
		d.fault(v.place, "%s: reject: %s; it is written \"550 5.1.6 the mailbox has moved\"", r.section.what, text)
	} else if why := cutReply(v.text, reply); why != "" {
		d.fault(v.place, "%s: reject: %s", r.section.what, why)
	}
	r.rule.Reject = &reply
}

// cutReply tells why a reply does not hold all of the text that it was read from. A
// line end behind the text, as YAML's | leaves it, is no part of it.
func cutReply(text string, reply status.Reply) string {
	text = strings.TrimSpace(text)
	switch {
	case strings.ContainsAny(text, "\r\n"):
		return "a reply is one line; remove the line ends (in YAML, > joins lines and | does not)"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return "a reply can hold printable ASCII alone; write it without tabs, accents and other signs"
	case len(strings.Join(strings.Fields(text)[2:], " ")) > len(reply.Text):
		return "the text is longer than the 400 octets that a reply holds; shorten it"
	}
	return ""
}

// sinkNames reads deliver or optional and looks the sinks up.
func (d *decoder) sinkNames(r *route, name string, sinks *sinkSet) []string {
	s := r.section
	if s.has(name) && s.values[name] == nil {
		return []string{""}
	}
	var list []string
	for _, v := range s.texts(name) {
		list = append(list, v.text)
		switch {
		case !v.ok:
			continue
		case !sinks.broken && !slices.Contains(sinks.names, v.text):
			d.fault(v.place, "%s: sink %s is not defined; %s", s.what, quote(v.raw), defined(sinks.names))
			continue
		case slices.Contains(list[:len(list)-1], v.text) || slices.Contains(r.rule.Deliver, v.text):
			d.fault(v.place, "%s: sink %s stands twice; keep one", s.what, quote(v.raw))
			continue
		}
		sinks.used[v.text] = true
		if w := sinks.byName[v.text].Webhook; w != nil && len(w.Captures) > 0 {
			r.rule.NeedsCaptures = true
			d.checkCaptures(r, v, w)
		}
	}
	return list
}

func defined(names []string) string {
	if len(names) == 0 {
		return "no sinks are defined"
	}
	return "defined sinks: " + strings.Join(names, ", ")
}

// checkCaptures wants the route to capture what the sink's URL uses. Where its
// alternatives capture different things, routing tells.
func (d *decoder) checkCaptures(r *route, sink scalar, w *Webhook) {
	var first []string
	for k, pattern := range r.rule.Recipient {
		captures, err := routing.Captures(pattern)
		if err != nil {
			return
		}
		slices.Sort(captures)
		if k > 0 && !slices.Equal(first, captures) {
			return
		}
		first = captures
	}
	if len(r.rule.Recipient) == 0 {
		return
	}
	for _, name := range w.Captures {
		if !slices.Contains(first, name) {
			d.fault(sink.place, "%s: the url of sink %s uses the capture {%s}, which recipient does not have; %s", r.section.what, quote(sink.raw), name, captured(first))
		}
	}
}

func captured(names []string) string {
	if len(names) == 0 {
		return "it captures nothing"
	}
	return "it has {" + strings.Join(names, "}, {") + "}"
}

// compile lets routing check the rules and puts its faults at their places.
func (d *decoder) compile(rules []routing.Rule, routes []route, hostname string, complete bool) {
	if len(rules) == 0 {
		return
	}
	if !complete {
		// Without the missing rules, what is reachable and who takes postmaster can't be
		// known; a faulty rule keeps routing from asking.
		rules = append(slices.Clone(rules), routing.Rule{Name: "\x00"})
	}
	_, faults := routing.Compile(rules, routing.Options{Hostname: hostname})
	for _, f := range faults {
		if f.Rule < 0 || f.Rule >= len(routes) {
			continue
		}
		r := routes[f.Rule]
		p, text, ok := r.locate(f)
		if !ok {
			continue
		}
		what := r.section.what
		if strings.HasPrefix(f.Key, "when.") {
			what = r.section.key("when")
		}
		if f.Warning {
			d.warn(p, "%s: %s", what, text)
		} else {
			d.fault(p, "%s: %s", what, text)
		}
	}
}

// placeOf returns the place of what a fault's key names.
func (r *route) placeOf(key string) place {
	inWhen, isWhen := strings.CutPrefix(key, "when.")
	if !isWhen || r.when == nil {
		return r.section.at(key)
	}
	if name, isField := strings.CutPrefix(inWhen, "header."); isField {
		if p, ok := r.fields[name]; ok {
			return p
		}
	}
	return r.when.at(inWhen)
}

// locate finds the place of a fault. It is not told where the value has one already.
func (r *route) locate(f routing.Fault) (p place, text string, ok bool) {
	s := r.section
	p, text = s.place, f.Text
	if f.Key == "" {
		return p, text, true
	}
	p = r.placeOf(f.Key)
	list := r.lists[f.Key]
	if f.Index < 0 || f.Index >= len(list) {
		return p, text, true
	}
	v := list[f.Index]
	if v.expanded {
		text = strings.ReplaceAll(text, strconv.Quote(v.text), strconv.Quote(v.raw))
		text = inQuotes.ReplaceAllStringFunc(text, func(s string) string {
			if s == strconv.Quote(v.raw) || strings.Contains(v.raw, strings.Trim(s, `"`)) {
				return s
			}
			return "…"
		})
	}
	return v.place, text, v.ok
}
