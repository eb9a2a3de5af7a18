package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mxhook/cmd/internal/config"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/durable"
	"mxhook/sinks/webhook"
)

// sink asks a sink whether it would take an event. Nothing is delivered.
func (d *doctor) sink(ctx context.Context, f *findings, s config.Sink) {
	severity, then := Error, "mail for it is answered with 4xx or waits in the spool, and stays with its senders"
	if len(d.Config.Routes) == 0 {
		then = "what sources take for it is put back into their queues, until the queue's redrive policy ends it"
	}
	switch {
	case !d.required(s.Name) && d.reads(s):
		then = "a message of a queue that points to this bucket is put back into its queue, until the queue's redrive policy ends it"
	case !d.required(s.Name) && d.named(s.Name):
		severity, then = Warning, "it is optional everywhere: what it misses is not sent again"
	case !d.required(s.Name):
		severity, then = Warning, "nobody uses it"
	}
	c, ok := d.Sinks[s.Name].(sinks.Checker)
	if !ok {
		f.unknown("sink", sinks.ErrUnchecked, then)
		return
	}
	err := c.Check(ctx)
	switch {
	case err == nil:
		f.ok("sink", "%s", wellText(s))
		if s.Dir != nil {
			d.dirSpace(f, s.Dir.Path)
		}
	case errors.Is(err, sinks.ErrUnchecked):
		f.unknown("sink", err, then)
	default:
		found, fix := words(err), sinkFix(err)
		if s.Dir != nil && status.ConditionOf(err) == status.SinkOperator {
			path := absolute(s.Dir.Path)
			found, fix = path+": "+found, folderFix("path of sink "+s.Name, path, durable.Probe(path))
		}
		f.add(severity, "sink", found, then, fix)
	}
}

// wellText says what the check of a kind of sink has shown, and no more.
func wellText(s config.Sink) string {
	switch s.Type {
	case "webhook":
		if s.Webhook.Proxy != "" && strings.HasPrefix(string(s.Webhook.URL), "http:") {
			return "its proxy is reached; whether its server is, and takes our signature, only a mail tells (mxhook send)"
		}
		return "its server is reached, and its certificate is good; whether it takes our signature only a mail tells (mxhook send)"
	case "dir":
		return "its folder can be written"
	}
	return "it is reached, and our credentials are good"
}

// required tells whether mail waits for a sink: a route delivers to it, or one that
// does stores in it.
func (d *doctor) required(name string) bool {
	for _, r := range d.Config.Routes {
		if slices.Contains(r.Deliver, name) {
			return true
		}
	}
	for _, q := range d.Config.Sources {
		if slices.Contains(q.Deliver, name) {
			return true
		}
	}
	for _, s := range d.Config.Sinks {
		if s.Name != name && d.named(s.Name) && slices.Contains(storesOf(s), name) {
			return true
		}
	}
	return false
}

// reads tells whether messages of a source's queue may point to a sink's bucket.
func (d *doctor) reads(s config.Sink) bool { return s.S3 != nil && len(d.Config.Sources) > 0 }

// storesOf returns the sinks in which another one puts what its payloads only name.
func storesOf(s config.Sink) (names []string) {
	p, _ := s.Payload()
	for _, value := range []string{p.Include.Attachments, p.Include.Raw} {
		if in, stores := config.StoreIn(value); stores {
			names = append(names, in)
		}
	}
	if s.SQS != nil && s.SQS.Overflow != "" {
		names = append(names, s.SQS.Overflow)
	}
	return names
}

// named tells whether a route or a source has the sink.
func (d *doctor) named(name string) bool {
	for _, q := range d.Config.Sources {
		if slices.Contains(q.Deliver, name) || slices.Contains(q.Optional, name) {
			return true
		}
	}
	for _, r := range d.Config.Routes {
		if slices.Contains(r.Deliver, name) || slices.Contains(r.Optional, name) {
			return true
		}
	}
	return false
}

// words is an error's text without the condition and the sink's name before it.
func words(err error) string {
	var e *status.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}

// sinkFix says what mends a sink, by the row of its error.
func sinkFix(err error) string {
	switch status.ConditionOf(err) {
	case status.SinkDNS:
		return "check the host's name and the resolver of this machine (/etc/resolv.conf)"
	case status.SinkTLS:
		return "check that the port speaks TLS 1.2 or newer, or write http:// on loopback"
	case status.SinkTimeout, status.BudgetExceeded:
		return "check that a firewall does not drop the connection"
	case status.SinkUnavailable:
		return "start the application, or mend host and port of its url, endpoint or proxy"
	case status.SinkOperator:
		return "mend what the finding names: the sink's url, proxy, folder, credentials or tls files in the configuration, or the certificate of its server"
	case status.NoStorage:
		return "make room on the disk"
	}
	return "see the finding"
}

// sourceFix says what mends a source, which has other keys than a sink.
func sourceFix(err error) string {
	switch status.ConditionOf(err) {
	case status.SinkUnavailable:
		return "start the server of the queue, or mend the source's queue_url or endpoint"
	case status.SinkOperator:
		return "mend what the finding names: the source's queue_url, region, endpoint or credentials (access_key_id, or those of the environment), or what the account may do with the queue"
	}
	return sinkFix(err)
}

// accept reaches for the URL that a route asks at RCPT.
func (d *doctor) accept(ctx context.Context, f *findings, a config.Accept) {
	asker, err := webhook.NewAsker(webhook.AskerConfig{URL: string(a.URL)})
	if err != nil {
		f.add(Error, "accept", err.Error(), "nobody can be asked", "mend accept: url")
		return
	}
	defer asker.Close()
	if err := asker.Check(ctx); err != nil {
		f.add(Error, "accept", words(err), "recipients of this route are answered with 451 as long as nobody says whether they are wanted", sinkFix(err))
		return
	}
	f.ok("accept", "its server is reached")
}

// source asks a queue for its properties, which needs the right to use it.
func (d *doctor) source(ctx context.Context, f *findings, name string) {
	q, ok := d.Queues[name]
	if !ok {
		f.unknown("source", sinks.ErrUnchecked, "its events are not taken")
		return
	}
	p, err := q.Properties(ctx)
	switch {
	case err != nil:
		f.add(Error, "source", words(err), "its events are not taken; they wait in the queue until its retention period is over", sourceFix(err))
	case p.Most == 0:
		f.add(Warning, "source", "the queue is reached, and has no dead-letter queue", "a message that can never be delivered comes back until its retention period is over, and is lost then",
			"give the queue a RedrivePolicy with maxReceiveCount and a dead-letter queue")
	default:
		f.ok("source", "the queue is reached; what was received %d times in vain goes to its dead-letter queue", p.Most)
	}
}

// dirSpace tells how much a folder's file system can take.
func (d *doctor) dirSpace(f *findings, path string) {
	v, ok := volumeOf(path)
	if ok && v.free >= 0 && v.free < d.Config.Limits.DiskReserve {
		f.add(Warning, "disk_space", fmt.Sprintf("%s has %s free", path, size(v.free)), "when it is full, mail for this sink is answered with 452 4.3.1", "make room, or move the folder")
	}
}
