package config

import "time"

// accept reads whom a route asks at RCPT.
func (d *decoder) accept(r *route) {
	if !r.section.has("accept") {
		return
	}
	r.rule.Asks = true
	n := r.section.values["accept"]
	s, ok := d.section(n, "routes[].accept", r.section.key("accept"))
	if n == nil || !ok { // it has its fault already
		return
	}
	if r.section.has("reject") {
		d.fault(s.place, "%s: accept contradicts reject, which refuses without a question; keep one", r.section.what)
	}
	w := &Webhook{Secrets: d.webhookSecrets(s)}
	d.url(s, w)
	if len(w.Captures) > 0 {
		d.fault(s.at("url"), "%s: url takes no captures; the recipient is in the question", s.what)
	}
	r.accept = Accept{URL: w.URL, Secrets: w.Secrets, Cache: time.Duration(s.duration("cache"))}
}
