package dmarc

import (
	"errors"
	"slices"
	"strings"

	"mxhook/verify/authres"
)

// Policies.
const (
	None       = "none"
	Quarantine = "quarantine"
	Reject     = "reject"
)

// Record is a DMARC policy record (RFC 9989 4.7). Tags that are unknown, or whose
// value is, are passed over; pct, rf and ri are no more.
type Record struct {
	Policy      string // p=: none, quarantine, reject
	Subdomain   string // sp=; p where it is not given
	NonExistent string // np=; sp where it is not given
	Testing     bool   // t=y: the next weaker policy is asked for
	PSD         string // psd=: y, n, u
	StrictDKIM  bool   // adkim=s
	StrictSPF   bool   // aspf=s
	// Aggregate and Failure are the URIs of rua= and ruf= as they are written, at most 20
	// of each and none over 512 octets, without control characters.
	Aggregate []string
	Failure   []string
	// Unusable says that no policy can be read: DMARC is not applied where this is the
	// record. It counts in the tree walk all the same.
	Unusable bool
}

var errNoRecord = errors.New("dmarc: no record")

// maxRecord is how long a record may be.
const maxRecord = 16 << 10

// Parse reads one TXT record. A record is one that begins with v=DMARC1 in just that
// spelling. One without a usable policy that names an address for aggregate reports
// asks for none; without the address it is Unusable (RFC 9989 4.10.1).
func Parse(text string) (*Record, error) {
	items := strings.Split(text[:min(len(text), maxRecord)], ";")
	if name, value := tag(items[0]); name != "v" || value != "DMARC1" {
		return nil, errNoRecord
	}
	tags := map[string]string{}
	for _, item := range items[1:] {
		name, value := tag(item)
		if _, twice := tags[name]; name != "" && !twice {
			tags[name] = value
		}
	}
	r := &Record{
		PSD:        oneOf(tags["psd"], "u", "y", "n"),
		Testing:    strings.EqualFold(tags["t"], "y"),
		StrictDKIM: strings.EqualFold(tags["adkim"], "s"),
		StrictSPF:  strings.EqualFold(tags["aspf"], "s"),
		Aggregate:  uris(tags["rua"]),
		Failure:    uris(tags["ruf"]),
	}
	bad := false
	policy := func(name, fallback string) string {
		value, ok := tags[name]
		if !ok && name != "p" {
			return fallback
		}
		p := oneOf(value, "", None, Quarantine, Reject)
		bad = bad || p == ""
		return p
	}
	r.Policy = policy("p", "")
	r.Subdomain = policy("sp", r.Policy)
	r.NonExistent = policy("np", r.Subdomain)
	if bad {
		r.Unusable = !slices.ContainsFunc(r.Aggregate, mailto)
		r.Policy, r.Subdomain, r.NonExistent = None, None, None
	}
	return r, nil
}

// tag splits an item. Names are without regard to case.
func tag(item string) (name, value string) {
	name, value, ok := strings.Cut(item, "=")
	if !ok {
		return "", ""
	}
	return strings.ToLower(strings.Trim(name, blanks)), strings.Trim(value, blanks)
}

const blanks = " \t\r\n"

func oneOf(value, fallback string, known ...string) string {
	for _, k := range known {
		if strings.EqualFold(value, k) {
			return k
		}
	}
	return fallback
}

// uris splits rua= and ruf=. A comma or exclamation mark that belongs to a URI is
// percent-encoded.
func uris(value string) []string {
	var list []string
	for uri := range strings.SplitSeq(value, ",") {
		uri = strings.Trim(uri, blanks)
		if scheme, rest, ok := strings.Cut(uri, ":"); !ok || scheme == "" || rest == "" || len(uri) > maxURI {
			continue
		}
		if len(list) == maxURIs {
			break
		}
		list = append(list, authres.Clean(uri))
	}
	return list
}

// Limits of the reporting addresses.
const (
	maxURIs = 20
	maxURI  = 512
)

// mailto reports whether a URI names a mailbox, the only kind that RFC 9990 knows.
func mailto(uri string) bool {
	scheme, address, _ := strings.Cut(uri, ":")
	local, domain, ok := strings.Cut(address, "@")
	return ok && local != "" && domain != "" && strings.EqualFold(scheme, "mailto")
}
