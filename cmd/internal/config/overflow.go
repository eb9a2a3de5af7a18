package config

import (
	"slices"
	"strings"

	"mxhook/routing"
)

// checkOverflows wants what a queue can't carry to go to a sink of type s3.
func (d *decoder) checkOverflows(set *sinkSet) {
	var able []string
	for _, name := range set.names {
		if set.byName[name].Type == "s3" {
			able = append(able, name)
		}
	}
	use := "add one"
	if len(able) > 0 {
		use = "there is " + strings.Join(able, ", ")
	}
	for _, u := range d.overflows {
		set.used[u.name] = true
		sink := set.byName[u.name]
		switch {
		case !slices.Contains(set.names, u.name):
			d.fault(u.place, "%s: sink %s is not defined; it must be one of type s3; %s", u.what, quote(u.name), use)
		case sink.Type != "s3" && sink.Type != "":
			d.fault(u.place, "%s: sink %s is of type %s, and must be of type s3; %s", u.what, quote(u.name), sink.Type, use)
		}
	}
}

// checkOverflowFolders faults a route whose objects would stand in the folder of a
// queue's overflow: a lifecycle rule that ends what queues have read would end them, too.
func (d *decoder) checkOverflowFolders(routes []route, set *sinkSet) {
	for _, r := range routes {
		for _, sink := range slices.Concat(r.rule.Deliver, r.rule.Optional) {
			if into := set.sharesOverflow(r.rule, sink); into != "" {
				d.fault(r.section.at("name"), "%s: sink %q keeps this route's objects where the payloads too large for a queue go (overflow: %s): prefix %s with the route's name begins that folder; rename the route, or give overflow an s3 sink of its own",
					r.section.what, sink, into, quote(set.byName[into].S3.Prefix))
				break
			}
		}
	}
}

// sharesOverflow returns the s3 sink that is some queue's overflow and in whose folder
// for that a sink stores what comes by a route; "" is none.
func (set *sinkSet) sharesOverflow(r routing.Rule, sink string) string {
	stores := []string{sink}
	if p, ok := set.byName[sink].Payload(); ok {
		for _, value := range []string{p.Include.Attachments, p.Include.Raw} {
			if name, stored := StoreIn(value); stored {
				stores = append(stores, name)
			}
		}
	}
	for _, name := range stores {
		store := set.byName[name].S3
		isOverflow := slices.ContainsFunc(set.list, func(s Sink) bool { return s.SQS != nil && s.SQS.Overflow == name })
		if store != nil && isOverflow && beginsOverflow(store.Prefix, r.Name) {
			return name
		}
	}
	return ""
}

// overflowFolder stands behind what a prefix has before its first placeholder.
const overflowFolder = "overflow/"

// beginsOverflow tells whether a prefix makes keys of the overflow's folder for a route.
func beginsOverflow(prefix, route string) bool {
	_, rest, _ := strings.Cut(prefix, "{")
	after, isRoute := strings.CutPrefix(rest, "route}")
	return isRoute && strings.HasPrefix(route+after, overflowFolder)
}
