package dmarc

import (
	"context"
	"strings"

	"mxhook/verify/dns"
	"mxhook/verify/why"
)

// MaxQueries is how many names one tree walk asks (RFC 9989 4.10).
const MaxQueries = 8

// found is a record and the domain that it is of.
type found struct {
	domain string
	*Record
}

// walker walks for one message: it asks for each name once, whatever the number of
// domains that are compared with the author's.
type walker struct{ known map[string]answer }

type answer struct {
	record *Record
	err    error
}

// walk asks from domain up to its top level, at most MaxQueries names, and gives the
// records from the longest name to the shortest (RFC 9989 4.10). With ErrTemporary it
// gives those below the name that is open.
func (w *walker) walk(ctx context.Context, r dns.Resolver, domain string) ([]found, error) {
	var records []found
	labels := strings.Split(domain, ".")
	for first := true; len(labels) > 0; first = false {
		name := strings.Join(labels, ".")
		record, err := w.lookup(ctx, r, name)
		if err != nil {
			return records, err
		}
		if record != nil {
			records = append(records, found{name, record})
			if record.PSD != "u" {
				why.Say(ctx, "psd=%s ends the walk", record.PSD)
				break
			}
		}
		if n := len(labels); first && n >= MaxQueries {
			labels = labels[n-(MaxQueries-1):]
		} else {
			labels = labels[1:]
		}
	}
	return records, nil
}

// lookup asks for the record of one domain.
func (w *walker) lookup(ctx context.Context, r dns.Resolver, domain string) (*Record, error) {
	if a, ok := w.known[domain]; ok {
		return a.record, a.err
	}
	record, err := lookup(ctx, r, domain)
	if w.known == nil {
		w.known = map[string]answer{}
	}
	w.known[domain] = answer{record, err}
	return record, err
}

// lookup gives the record of a domain, nil without one. Several records are as good as
// none (RFC 9989 4.10, step 2).
func lookup(ctx context.Context, r dns.Resolver, domain string) (*Record, error) {
	name := "_dmarc." + domain
	if _, ok := dns.Domain(name); !ok {
		why.Say(ctx, "_dmarc.%s is too long a name to exist", domain)
		return nil, nil
	}
	texts, err := r.LookupTXT(ctx, name)
	if dns.IsTemporary(err) {
		why.Say(ctx, "%s: the question is open", name)
		return nil, ErrTemporary
	}
	var records []*Record
	for _, text := range texts {
		if one, err := Parse(text); err == nil {
			records = append(records, one)
		}
	}
	switch {
	case len(records) == 1:
		return records[0], nil
	case len(records) > 1:
		why.Say(ctx, "%s has %d records, which are as good as none (RFC 9989 4.10, step 2); its owner must remove all but one", name, len(records))
	case err == nil && len(texts) > 0:
		why.Say(ctx, "no text there is a DMARC record; one begins with v=DMARC1")
	}
	return nil, nil
}

// organizational picks the organizational domain from the records of a walk that
// began at domain (RFC 9989 4.10.2).
func organizational(domain string, records []found) string {
	for _, f := range records {
		switch {
		case f.PSD == "n":
			return f.domain
		case f.PSD == "y" && f.domain != domain:
			below := strings.TrimSuffix(domain, "."+f.domain)
			return below[strings.LastIndexByte(below, '.')+1:] + "." + f.domain
		}
	}
	if len(records) == 0 {
		return domain
	}
	return records[len(records)-1].domain
}
