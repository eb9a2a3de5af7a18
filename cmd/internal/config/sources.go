package config

import (
	"slices"
	"strconv"
	"time"
)

// sources returns the queues that events are taken from.
func (d *decoder) sources(top *section, sinks *sinkSet) []Source {
	var all []Source
	for i, n := range d.elements(top, "sources") {
		s, ok := d.section(n, "sources[]", sourceTitle(i))
		if ok {
			all = append(all, d.source(s, i, sinks, all))
		}
	}
	d.loops(all, sinks)
	return all
}

// sourceUse is a place where a source names a sink.
type sourceUse struct {
	what   string
	source Source
	sink   string
	place  place
}

// loops finds the sinks that put a source's events into its own queue again, or into one
// whose source does.
func (d *decoder) loops(all []Source, sinks *sinkSet) {
	var leads func(sink, queue string, seen map[string]bool) bool
	leads = func(sink, queue string, seen map[string]bool) bool {
		q := sinks.byName[sink].SQS
		if q == nil || q.QueueURL == "" || seen[q.QueueURL] {
			return false
		}
		if q.QueueURL == queue {
			return true
		}
		seen[q.QueueURL] = true
		for _, s := range all {
			if s.QueueURL == q.QueueURL && slices.ContainsFunc(slices.Concat(s.Deliver, s.Optional), func(next string) bool { return leads(next, queue, seen) }) {
				return true
			}
		}
		return false
	}
	for _, u := range d.sourceUses {
		if u.source.QueueURL != "" && leads(u.sink, u.source.QueueURL, map[string]bool{}) {
			d.fault(u.place, "%s: sink %q brings its events into this source's queue again, so that they would go round for ever; give the sink another queue", u.what, u.sink)
		}
	}
}

func sourceTitle(i int) string { return "source " + strconv.Itoa(i+1) }

func (d *decoder) source(s *section, i int, sinks *sinkSet, former []Source) Source {
	src := Source{
		Name: s.text("name"), Type: s.text("type"), Account: d.account(s),
		Concurrency: int(s.number("concurrency")), VisibilityTimeout: time.Duration(s.duration("visibility_timeout")), Wait: time.Duration(s.duration("wait")),
	}
	if !s.has("type") {
		d.fault(s.place, "%s: type is missing; add type: sqs", s.what)
	}
	d.sourceName(s, &src, i, former)
	d.sourceQueue(s, &src, former)
	for _, key := range []string{"visibility_timeout", "wait"} {
		if v, ok := s.single[key]; ok && s.duration(key)%int64(time.Second) != 0 {
			d.fault(v.place, "%s: %s must be whole seconds", s.what, key)
		}
	}
	src.Deliver = d.sourceSinks(s, "deliver", nil, &src, sinks)
	src.Optional = d.sourceSinks(s, "optional", src.Deliver, &src, sinks)
	sinks.misnamed = sinks.misnamed || !s.has("deliver") || s.values["deliver"] == nil
	if !s.has("deliver") || s.values["deliver"] != nil && len(s.texts("deliver")) == 0 {
		d.fault(s.at("deliver"), "%s: deliver names no sink; add deliver: [SINK]", s.what)
	}
	return src
}

func (d *decoder) sourceName(s *section, src *Source, i int, former []Source) {
	v, given := s.single["name"]
	if !given {
		src.Name = strconv.Itoa(i + 1)
		v.place = s.place
	}
	switch {
	case !isLabel(src.Name):
		d.fault(v.place, "%s: name %s must be at most 64 letters, digits, dots, - and _, a letter or digit first", s.what, quote(v.raw))
	case slices.ContainsFunc(former, func(o Source) bool { return o.Name == src.Name }):
		d.fault(v.place, "%s: another source has the same name; give it another", s.what)
	}
}

func (d *decoder) sourceQueue(s *section, src *Source, former []Source) {
	at := d.queue(s)
	src.QueueURL, src.Region, src.Endpoint = at.url, at.region, at.endpoint
	if src.QueueURL != "" && slices.ContainsFunc(former, func(o Source) bool { return o.QueueURL == src.QueueURL }) {
		d.fault(s.at("queue_url"), "%s: the queue is another source's too; raise concurrency instead", s.what)
	}
}

// sourceSinks reads deliver or optional and looks the sinks up.
func (d *decoder) sourceSinks(s *section, name string, others []string, src *Source, sinks *sinkSet) (list []string) {
	for _, v := range s.texts(name) {
		if !v.ok {
			sinks.misnamed = true
			continue
		}
		switch {
		case !sinks.broken && !slices.Contains(sinks.names, v.text):
			d.fault(v.place, "%s: sink %s is not defined; %s", s.what, quote(v.raw), defined(sinks.names))
			sinks.misnamed = true
			continue
		case slices.Contains(list, v.text) || slices.Contains(others, v.text):
			d.fault(v.place, "%s: sink %s stands twice; keep one", s.what, quote(v.raw))
			continue
		}
		list = append(list, v.text)
		sinks.used[v.text] = true
		d.sourceUses = append(d.sourceUses, sourceUse{s.what, *src, v.text, v.place})
	}
	return list
}

// sourceAlone tells whether the file is that of a worker: it takes from queues, and
// nothing by SMTP.
func sourceAlone(top *section) bool {
	return top.has("sources") && !top.has("routes") && !top.has("listeners")
}
