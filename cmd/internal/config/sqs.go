package config

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"mxhook/sinks/payload/formats"
)

// SQS is a sink of type sqs.
type SQS struct {
	QueueURL    string
	Region      string // "" is the environment's
	Endpoint    string // "" is Amazon's of the region
	Account     Account
	Format      string
	FanOut      string // "message" or "recipient", the latter if the queue is FIFO
	Include     Include
	MaxSize     int64  // 0 is what the queue says
	Overflow    string // the name of an s3 sink; "" is none
	Timeout     time.Duration
	Attempts    int
	Concurrency int
	Circuit     Circuit
	TLS         ClientTLS
}

// sqs reads a sink of type sqs.
func (d *decoder) sqs(s *section) *SQS {
	q := &SQS{
		Format:      s.text("format"),
		FanOut:      s.text("fan_out"),
		MaxSize:     s.size("max_size"),
		Timeout:     time.Duration(s.duration("timeout")),
		Attempts:    int(s.number("attempts")),
		Concurrency: int(s.number("concurrency")),
		Circuit:     d.circuit(s),
		Account:     d.account(s),
		TLS:         d.clientTLS(s),
	}
	at := d.queue(s)
	q.QueueURL, q.Region, q.Endpoint = at.url, at.region, at.endpoint
	d.sqsFormat(s, q)
	include := d.sub(s, "include")
	kind, _ := formats.Find(q.Format)
	q.Include = d.included(include, kind)
	if q.Format != "mxhook" && !include.has("raw") {
		q.Include.Raw = "none" // the default is for a worker that makes other formats of ours
	}
	if v, ok := s.single["max_size"]; ok && q.MaxSize > 0 && q.MaxSize < 1<<10 {
		d.fault(v.place, "%s: max_size must be 0, which is what the queue says, or at least 1KiB", s.what)
	}
	if v, ok := s.single["overflow"]; ok {
		q.Overflow = v.text
		d.overflows = append(d.overflows, storeUse{s.key("overflow"), v.text, v})
	}
	return q
}

// sqsFormat wants a format that is text, and one event a recipient where one needs it.
func (d *decoder) sqsFormat(s *section, q *SQS) {
	kind, known := formats.Find(q.Format)
	if v, ok := s.single["format"]; ok && known && !kind.JSON {
		d.fault(v.place, "%s: format %s may hold octets that no SQS message can; use %s", s.what, q.Format,
			strings.Join(formatsThat(func(k formats.Kind) bool { return k.JSON }), ", "))
	}
	why := ""
	switch {
	case strings.HasSuffix(q.QueueURL, ".fifo"):
		why = "a FIFO queue, whose groups are recipients,"
	case kind.OneRecipient:
		why = "format " + q.Format
	default:
		return
	}
	if v, ok := s.single["fan_out"]; ok && q.FanOut == "message" {
		d.warn(v.place, "%s: fan_out: %s is always recipient", s.what, why)
	}
	q.FanOut = "recipient"
}

// What SQS says of names: of a queue, and of the hosts of its own endpoints.
var (
	queueName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	fifoName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,75}\.fifo$`)
	regionName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	sqsHosts   = []*regexp.Regexp{
		regexp.MustCompile(`^sqs(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$`),
		regexp.MustCompile(`^([a-z0-9-]+)\.queue\.amazonaws\.com(?:\.cn)?$`),
		regexp.MustCompile(`^vpce-[a-z0-9-]+\.sqs\.([a-z0-9-]+)\.vpce\.amazonaws\.com(?:\.cn)?$`),
	}
)

// queueAt says which queue it is and where.
type queueAt struct{ url, region, endpoint string }

// queue reads which queue it is and where, of a sink or of a source.
func (d *decoder) queue(s *section) (q queueAt) {
	q.endpoint = d.endpoint(s)
	v, given := s.single["queue_url"]
	if !given {
		if !s.has("queue_url") {
			d.fault(s.place, "%s: queue_url is missing; add queue_url: \"https://sqs.eu-central-1.amazonaws.com/123456789012/jobs\"", s.what)
		}
		return q
	}
	u, ok := d.queueURL(s)
	if !ok {
		return q
	}
	name := u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	if !queueName.MatchString(name) && !fifoName.MatchString(name) {
		d.fault(v.place, "%s: queue_url must end in a queue's name, at most 80 letters, digits, - and _, .fifo among them", s.what)
		return q
	}
	q.url = v.text
	q.region = d.queueRegion(s, u)
	if q.endpoint == "" && !isAmazon(u) {
		q.endpoint = u.Scheme + "://" + u.Host
	}
	return q
}

func isAmazon(u *url.URL) bool { return regionOf(u) != "" }

// regionOf returns the region that a host of SQS names, "" for another host.
func regionOf(u *url.URL) string {
	for _, r := range sqsHosts {
		if m := r.FindStringSubmatch(u.Hostname()); m != nil {
			return m[1]
		}
	}
	return ""
}

func (d *decoder) queueRegion(s *section, u *url.URL) string {
	own := regionOf(u)
	v, given := s.single["region"]
	switch {
	case given && !regionName.MatchString(v.text):
		d.fault(v.place, "%s: region must be the name of a region such as eu-central-1", s.what)
	case given && own != "" && own != v.text:
		d.fault(v.place, "%s: region %s is not that of queue_url, %s; remove it", s.what, quote(v.raw), own)
	case given:
		return v.text
	}
	return own
}

// queueURL reads the URL of a queue.
func (d *decoder) queueURL(s *section) (*url.URL, bool) {
	v := s.single["queue_url"]
	u, err := url.Parse(v.text)
	why := ""
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		why = "must be written https://HOST[:PORT]/ACCOUNT/QUEUE, such as https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"
	case u.User != nil:
		why = "has a user; write access_key_id and secret_access_key"
	case strings.ContainsAny(v.text, "?#{}") || strings.ContainsFunc(v.text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		why = "has a query, a fragment, braces, blanks or characters that are not ASCII"
	}
	if why != "" {
		d.hideAddress(v.text)
		d.fault(v.place, "%s: queue_url %s", s.what, why)
		return nil, false
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) && s.text("endpoint") == "" {
		d.warn(v.place, "%s: queue_url is http:// beyond loopback, so that mail goes in clear; use https://", s.what)
	}
	return u, true
}
