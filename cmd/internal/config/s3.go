package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"mxhook/sinks/s3"
)

// S3 is a sink of type s3.
type S3 struct {
	Bucket       string
	Prefix       string
	Dated        bool     // the prefix has a part of the date
	OneDomain    bool     // the prefix has {domain}
	Content      []string // of "raw", "json" and "attachments", at least one
	Region       string   // "" is the environment's
	Endpoint     string   // without a final slash; "" is AWS's
	PathStyle    bool
	Overwrite    bool
	StorageClass string
	Encryption   string
	KMSKeyID     string
	Tags         map[string]string
	URLExpiry    time.Duration
	Account      Account
	Timeout      time.Duration
	Attempts     int
	Concurrency  int
	Circuit      Circuit
	TLS          ClientTLS
}

// Account are the keys of an account at AWS or another server; "" where the environment,
// the shared files or the host's role tell.
type Account struct {
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret
}

func (d *decoder) s3(s *section) *S3 {
	c := &S3{
		Bucket: d.bucket(s), Prefix: s.text("prefix"), Region: d.region(s), Endpoint: d.endpoint(s), PathStyle: s.flag("path_style"),
		Overwrite: s.flag("overwrite"), StorageClass: s.text("storage_class"), Encryption: s.text("server_side_encryption"),
		KMSKeyID: s.text("kms_key_id"), URLExpiry: time.Duration(s.duration("url_expiry")), Account: d.account(s), Content: d.content(s), Tags: d.tags(s),
		Timeout: time.Duration(s.duration("timeout")), Attempts: int(s.number("attempts")), Concurrency: int(s.number("concurrency")),
		Circuit: d.circuit(s), TLS: d.clientTLS(s),
	}
	var why string
	if c.Dated, c.OneDomain, why = s3.CheckPrefix(c.Prefix); why != "" {
		d.fault(s.at("prefix"), "%s: prefix %s", s.what, why)
	}
	if c.Prefix != "" && !strings.HasSuffix(c.Prefix, "/") {
		d.warn(s.at("prefix"), "%s: prefix does not end in /, so that the event's id follows without one", s.what)
	}
	if !slices.Contains([]string{"", "AES256", "aws:kms", "aws:kms:dsse"}, c.Encryption) {
		d.fault(s.at("server_side_encryption"), "%s: server_side_encryption must be AES256, aws:kms or aws:kms:dsse", s.what)
	}
	if c.KMSKeyID != "" && !strings.HasPrefix(c.Encryption, "aws:kms") {
		d.fault(s.at("kms_key_id"), "%s: kms_key_id needs server_side_encryption: aws:kms", s.what)
	}
	return c
}

// bucket reads a bucket's name (S3's rules for general purpose buckets), or an access
// point's ARN.
func (d *decoder) bucket(s *section) string {
	v, given := s.single["bucket"]
	switch {
	case !given && s.has("bucket"):
		return ""
	case !given:
		d.fault(s.place, "%s: bucket is missing; add bucket: NAME", s.what)
		return ""
	case strings.HasPrefix(v.text, "arn:"):
		return v.text
	}
	_, err := netip.ParseAddr(v.text)
	bad := strings.ContainsFunc(v.text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
	edge := func(i int) bool { return v.text[i] == '-' || v.text[i] == '.' }
	if len(v.text) < 3 || len(v.text) > 63 || bad || err == nil || edge(0) || edge(len(v.text)-1) || strings.Contains(v.text, "..") {
		d.fault(v.place, "%s: bucket %s is no bucket's name: 3 to 63 lower-case letters, digits, - and ., with a letter or digit at both ends", s.what, quote(v.raw))
	}
	return v.text
}

// region reads a region. One is needed at AWS.
func (d *decoder) region(s *section) string {
	v, given := s.single["region"]
	if given && v.text != "" && !isHostname(v.text) {
		d.fault(v.place, "%s: region must be one such as eu-central-1; remove it to take AWS_REGION", s.what)
	}
	region, _ := d.env("AWS_REGION")
	profile, _ := d.env("AWS_PROFILE")
	if v.text == "" && (given || !s.has("region") && !slices.Contains(s.meant, "region")) && s.text("endpoint") == "" && region == "" && profile == "" {
		d.warn(s.place, "%s has no region and AWS_REGION is not set here: unless a shared file names one, mail will wait; add region: eu-central-1", s.what)
	}
	return v.text
}

// endpoint reads the URL of another server than AWS's.
func (d *decoder) endpoint(s *section) string {
	v, given := s.single["endpoint"]
	if !given || v.text == "" {
		return ""
	}
	return d.serverURL(v, s.what+": endpoint", "must be written https://HOST[:PORT]", "has a user; write access_key_id and secret_access_key",
		"has a query, a fragment, braces or blanks", d.hideAddress)
}

// hideAddress keeps what should be a URL out of the problems, where it may hold a user's
// password or a key: a bare word is none, and may stand in our own examples.
func (d *decoder) hideAddress(text string) {
	if strings.ContainsAny(text, ":@?/#") {
		d.hide(text, redacted)
	}
}

// account reads keys that stand in the configuration.
func (d *decoder) account(s *section) Account {
	one := func(name string) Secret {
		for _, v := range s.secrets(name) {
			if v.ok {
				return Secret(strings.TrimSpace(v.text))
			}
		}
		return ""
	}
	a := Account{AccessKeyID: s.text("access_key_id"), SecretAccessKey: one("secret_access_key"), SessionToken: one("session_token")}
	has := func(name string) bool { return s.has(name) || s.has(name+"_file") }
	switch {
	case has("access_key_id") != has("secret_access_key"):
		d.fault(s.at("access_key_id"), "%s: access_key_id and secret_access_key belong together; add the other, or remove both to take those of the environment or the host's role", s.what)
	case has("session_token") && !has("access_key_id"):
		d.fault(s.at("session_token"), "%s: session_token goes with access_key_id and secret_access_key", s.what)
	case has("access_key_id") && (a.AccessKeyID == "" || a.SecretAccessKey == "") && !faulty(d.problems):
		d.fault(s.at("access_key_id"), "%s: access_key_id or secret_access_key is empty; remove both to take those of the environment or the host's role", s.what)
	}
	return a
}

func (d *decoder) content(s *section) []string {
	if !s.has("content") {
		return []string{s3.Raw, s3.JSON}
	}
	var list []string
	given := s.texts("content")
	for _, v := range given {
		switch {
		case !v.ok:
		case slices.Contains(list, v.text):
			d.warn(v.place, "%s: content: %s stands twice", s.what, v.text)
		default:
			list = append(list, v.text)
		}
	}
	if len(given) == 0 && s.values["content"] != nil {
		d.fault(s.at("content"), "%s: content is empty, so that nothing would be kept; remove it, or write content: [raw, json]", s.what)
	}
	return list
}

// tags reads what S3 takes: ten tags of letters, digits, blanks and + - = . _ : / @.
func (d *decoder) tags(s *section) map[string]string {
	n := s.values["tags"]
	if n == nil {
		return nil
	}
	list, _ := d.pairs(n, s.key("tags"))
	tags := map[string]string{}
	for _, p := range list {
		v := d.scalar(p.value, s.key("tags: "+quote(p.name)), false)
		if !v.ok {
			continue
		}
		plain := strings.ReplaceAll(v.text, "{route}", strings.Repeat("x", 64))
		if !isTag(p.name, 128) || p.name == "" || !isTag(plain, 256) || strings.HasPrefix(p.name, "aws:") {
			d.fault(p.place, "%s: tags: a tag is letters, digits, blanks and + - = . _ : / @, its name at most 128, its value 256; {route} is the route's name", s.what)
		}
		tags[p.name] = v.text
	}
	if len(tags) > 10 {
		d.fault(at(n), "%s: tags: an object has at most 10", s.what)
	}
	return tags
}

func isTag(s string, most int) bool {
	return len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(" +-=._:/@", r)
	})
}

// checkDates warns where a date in the keys isn't known over resends, and faults where
// one event would be stored under one of its domains.
func (d *decoder) checkDates(set *sinkSet, delivery Delivery) {
	for _, c := range set.list {
		if c.S3 != nil && c.S3.Dated && delivery.Ledger == 0 {
			d.warn(set.places[c.Name], "sink %q: without delivery.ledger the date in prefix is that of each try, so that a resend after midnight is kept twice; remove {year} {month} {day}, or keep a ledger", c.Name)
		}
		p, ok := c.Payload()
		if !ok || p.FanOut == "recipient" {
			continue
		}
		for _, value := range []string{p.Include.Attachments, p.Include.Raw} {
			if name, stores := StoreIn(value); stores && set.byName[name].S3 != nil && set.byName[name].S3.OneDomain {
				d.fault(set.places[c.Name], "sink %q: include: store:%s has {domain} in its prefix, and an event of fan_out: message may have several; write fan_out: recipient", c.Name, name)
				break
			}
		}
	}
}
