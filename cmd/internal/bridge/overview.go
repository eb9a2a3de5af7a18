package bridge

import (
	"net/url"
	"strings"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/page"
	"mxhook/routing"
	"mxhook/sinks"
)

// The Bridge is what its page asks.
var _ page.Bridge = (*Bridge)(nil)

// Event implements page.Bridge.
func (b *Bridge) Event(id string) (*sinks.Event, error) { return b.spool.Event(id) }

// Status implements page.Bridge.
func (b *Bridge) Status() page.Status {
	p := b.acquire()
	defer p.release()
	s := page.Status{Hostname: p.hostname, Version: b.options.Version, Commit: b.options.Commit[:min(len(b.options.Commit), 12)],
		Started: b.started.UTC().Truncate(time.Second), NotReady: b.notReady(), SpoolBound: p.config.Spool.MaxBytes}
	s.Waiting, s.Dead, s.SpoolOctets = b.spool.Stats()
	return s
}

// Overview implements page.Bridge.
func (b *Bridge) Overview() page.Overview {
	p := b.acquire()
	defer p.release()
	o := page.Overview{MemoryOctets: b.store.InMemory(), Deferred: b.deferrals.oldest(time.Now()).Truncate(time.Second)}
	for _, l := range p.config.Listeners {
		o.Listeners = append(o.Listeners, l.Kind+" "+l.Address)
	}
	for _, s := range p.config.Sources {
		o.Sources = append(o.Sources, s.Name+", "+s.Type+" "+queueNameOf(s.QueueURL))
	}
	for _, s := range p.config.Sinks {
		one := page.Sink{Name: s.Name, Type: s.Type, Target: targetOf(s)}
		if st, ok := b.circuits.Status(s.Name); ok && st.Config.Failures > 0 {
			one.Circuit = &st
		}
		o.Sinks = append(o.Sinks, one)
	}
	for i := range p.config.Routes {
		r := routeOf(&p.config.Routes[i])
		r.When = p.table.Conditions(i)
		o.Routes = append(o.Routes, r)
	}
	return o
}

// targetOf says where a sink delivers, without what may be secret: of a URL its host
// alone.
func targetOf(s config.Sink) string {
	switch {
	case s.Webhook != nil:
		if u, err := url.Parse(string(s.Webhook.URL)); err == nil {
			return u.Host + " as " + s.Webhook.Format
		}
		return s.Webhook.Format
	case s.S3 != nil:
		return s.S3.Bucket
	case s.SQS != nil:
		return queueNameOf(s.SQS.QueueURL) + " as " + s.SQS.Format
	case s.Dir != nil:
		return s.Dir.Path
	}
	return ""
}

// queueNameOf returns the last part of a queue's URL.
func queueNameOf(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

func routeOf(r *routing.Rule) page.Route {
	o := page.Route{Name: r.Name, Pattern: strings.Join(r.Recipient, ", "), Then: then(r)}
	if r.AnyDomain {
		o.Pattern = "any recipient"
	}
	if r.Reject != nil {
		o.Then = "refused with " + r.Reject.String()
	}
	return o
}
