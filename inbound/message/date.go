package message

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseDate reads a Date field (RFC 5322 3.3) and what mailers write in its place:
// no seconds, a wrong or missing day of the week, two-digit years, names of zones
// or none (UTC then), dashes, ISO 8601. ok is false when it is no date.
func ParseDate(s string) (t time.Time, ok bool) {
	if len(s) > 200 {
		return time.Time{}, false
	}
	s = strings.TrimSpace(s)
	if len(s) > 10 && s[4] == '-' && s[7] == '-' {
		for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05-0700", "2006-01-02 15:04:05"} {
			if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1900 {
				return t, true
			}
		}
	}
	var d dateParts
	d.zone = time.UTC
	for _, tok := range dateTokens(s) {
		if tok != "" {
			d.take(tok)
		}
	}
	return d.time()
}

// dateTokens cuts a date at blanks, commas and dashes between words; comments are
// dropped.
func dateTokens(s string) []string {
	depth := 0
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '(':
			depth++
			return ' '
		case r == ')':
			depth = max(depth-1, 0)
			return ' '
		case depth > 0 || r == ',' || r == '\t' || r == '"':
			return ' '
		}
		return r
	}, s)
	fields := strings.Fields(s)
	if !strings.Contains(s, "-") || !slices.ContainsFunc(fields, func(f string) bool { return strings.Count(f, "-") == 2 }) {
		return fields
	}
	out := make([]string, 0, len(fields)+2)
	for _, f := range fields {
		// 19-Nov-2026, but not -0700.
		if strings.Count(f, "-") == 2 && f[0] != '-' {
			out = append(out, strings.Split(f, "-")...)
			continue
		}
		out = append(out, f)
	}
	return out
}

type dateParts struct {
	day, month, year  int
	hour, minute, sec int
	hasTime, hasYear  bool
	pm, am            bool
	zone              *time.Location
}

func (d *dateParts) take(tok string) {
	l := strings.ToLower(tok)
	switch {
	case strings.Contains(tok, ":") && !d.hasTime:
		d.clock(l)
	case (tok[0] == '+' || tok[0] == '-') && len(tok) > 1:
		d.offset(tok)
	case tok[0] >= '0' && tok[0] <= '9':
		d.number(tok)
	case l == "am":
		d.am = true
	case l == "pm":
		d.pm = true
	default:
		d.word(l)
	}
}

func (d *dateParts) clock(s string) {
	// The zone may be glued on: 10:00:00+0100.
	if i := strings.IndexAny(s, "+-"); i > 0 {
		d.offset(s[i:])
		s = s[:i]
	}
	s = strings.TrimSuffix(s, "z")
	s, _, _ = strings.Cut(s, ".")
	var v [3]int
	for i := range v {
		f, rest, more := strings.Cut(s, ":")
		if i == 2 && more {
			return // "10:00:00:00"
		}
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 {
			return
		}
		if v[i], s = n, rest; !more {
			break
		}
	}
	d.hour, d.minute, d.sec, d.hasTime = v[0], v[1], v[2], true
}

func (d *dateParts) number(s string) {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil:
	case d.day == 0 && n >= 1 && n <= 31 && len(s) <= 2:
		d.day = n
	case !d.hasYear:
		d.year, d.hasYear = n, true
		switch {
		case len(s) <= 2 && n < 50:
			d.year += 2000
		case len(s) <= 3:
			d.year += 1900
		}
	}
}

func (d *dateParts) offset(s string) {
	digits := strings.ReplaceAll(s[1:], ":", "")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || len(digits) > 4 {
		return
	}
	if len(digits) <= 2 {
		n *= 100
	}
	secs := (n/100*60 + n%100) * 60
	if n/100 > 15 || n%100 > 59 {
		return
	}
	if s[0] == '-' {
		secs = -secs
	}
	d.zone = time.FixedZone("", secs)
}

// zoneHours are the zones of RFC 5322 4.3 and a few that are seen.
var zoneHours = map[string]float64{
	"ut": 0, "utc": 0, "gmt": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
	"pst": -8, "pdt": -7, "cet": 1, "cest": 2, "met": 1, "mest": 2, "bst": 1, "eet": 2, "eest": 3,
	"msk": 3, "jst": 9, "kst": 9, "aest": 10, "ist": 5.5,
}

func (d *dateParts) word(l string) {
	if h, ok := zoneHours[l]; ok {
		d.zone = time.FixedZone("", int(h*3600))
		return
	}
	if i := strings.IndexAny(l, "+-"); i == 3 { // GMT+0200
		d.offset(l[i:])
		return
	}
	if d.month == 0 && len(l) >= 3 {
		if i := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", l[:3]); i >= 0 && i%3 == 0 {
			d.month = i/3 + 1
		}
	}
}

func (d *dateParts) time() (time.Time, bool) {
	if d.pm && d.hour < 12 {
		d.hour += 12
	}
	if d.am && d.hour == 12 {
		d.hour = 0
	}
	if d.day == 0 || d.month == 0 || !d.hasYear || d.year < 1900 || d.year > 9999 ||
		d.hour > 23 || d.minute > 59 || d.sec > 60 {
		return time.Time{}, false
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.sec, 0, d.zone)
	local := t.In(d.zone)
	if d.sec < 60 && local.Day() != d.day {
		return time.Time{}, false // 31 Feb
	}
	return t, true
}
