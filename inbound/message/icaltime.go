package message

import (
	"strings"
	"time"
)

const (
	calendarDate = "2006-01-02"
	calendarTime = "2006-01-02T15:04:05"
)

// maxZones bounds how many zones one calendar makes us look up.
const maxZones = 20

// zones remembers the zones of one calendar; nil is one that is not known.
type zones struct{ known map[string]*time.Location }

// time reads DTSTART and its like: a date, a time in UTC, in a zone, or floating
// (RFC 5545 3.3.4, 3.3.5). ok is false when it is no date.
func (z *zones) time(l *contentLine) (CalendarTime, bool) {
	v := strings.TrimSpace(l.value)
	if len(v) == 8 {
		t, err := time.Parse("20060102", v)
		if err != nil {
			return CalendarTime{}, false
		}
		return CalendarTime{Value: t.Format(calendarDate), DateOnly: true}, true
	}
	digits, utc := strings.CutSuffix(v, "Z")
	if len(digits) != 15 || digits[8] != 'T' {
		return CalendarTime{}, false
	}
	// A leap second, which RFC 5545 allows, is the second before it.
	if strings.HasSuffix(digits, "60") {
		digits = digits[:13] + "59"
	}
	t, err := time.Parse("20060102T150405", digits)
	if err != nil {
		return CalendarTime{}, false
	}
	out := CalendarTime{Value: t.Format(calendarTime)}
	if utc {
		out.TZID, out.UTC = "UTC", t
		return out, true
	}
	if out.TZID = l.params.get("tzid"); out.TZID == "" {
		return out, true
	}
	if loc := z.find(out.TZID); loc != nil {
		out.UTC = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, loc).UTC()
	}
	return out, true
}

// find returns the zone of that name, nil if it is not known: an IANA name, one with
// a vendor's prefix as RFC 5545 3.8.3.1 allows, or one of Windows.
func (z *zones) find(name string) *time.Location {
	if loc, ok := z.known[name]; ok {
		return loc
	}
	if len(z.known) >= maxZones || len(name) > 100 {
		return nil
	}
	if z.known == nil {
		z.known = make(map[string]*time.Location)
	}
	loc := lookUpZone(name)
	z.known[name] = loc
	return loc
}

func lookUpZone(name string) *time.Location {
	switch iana := windowsZones[name]; {
	case iana != "":
		name = iana
	case name == "" || name == "Local": // what LoadLocation would take for ours
		return nil
	case name[0] == '/':
		words := strings.Split(name, "/")
		name = strings.Join(words[max(0, len(words)-2):], "/")
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return loc
}

// add returns the time after d: on the clocks of the zone for whole days, exactly
// for the rest (RFC 5545 3.3.6), which differs only where clocks change.
func (t CalendarTime) add(d time.Duration, z *zones) CalendarTime {
	out := t
	layout := calendarTime
	if t.DateOnly {
		layout = calendarDate
	}
	local, err := time.Parse(layout, t.Value)
	if err != nil || local.Add(d).Year() > 9998 { // years have four digits
		return CalendarTime{}
	}
	if t.UTC.IsZero() {
		out.Value = local.Add(d).Format(layout)
		return out
	}
	loc := z.find(t.TZID)
	if loc == nil {
		return CalendarTime{}
	}
	start := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, loc)
	days := int(d / (24 * time.Hour))
	end := start.AddDate(0, 0, days).Add(d - time.Duration(days)*24*time.Hour)
	out.Value, out.UTC = end.Format(calendarTime), end.UTC()
	return out
}

// parseDuration reads a positive duration (RFC 5545 3.3.6), at most about 10 years.
func parseDuration(s string) (time.Duration, bool) {
	s = strings.TrimPrefix(s, "+")
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" {
		return 0, false
	}
	var d time.Duration
	n, digits := 0, 0
	for i := range len(rest) {
		c := rest[i]
		if c >= '0' && c <= '9' {
			if digits++; digits > 6 {
				return 0, false
			}
			n = n*10 + int(c-'0')
			continue
		}
		unit, known := durationUnit(c)
		if !known || (c == 'T') != (digits == 0) || n > 600 && unit > 24*time.Hour || n > 4000 && unit == 24*time.Hour {
			return 0, false
		}
		d += time.Duration(n) * unit
		n, digits = 0, 0
	}
	return d, digits == 0 && d < 24*365*20*time.Hour
}

func durationUnit(c byte) (time.Duration, bool) {
	switch c {
	case 'W':
		return 7 * 24 * time.Hour, true
	case 'D':
		return 24 * time.Hour, true
	case 'H':
		return time.Hour, true
	case 'M':
		return time.Minute, true
	case 'S':
		return time.Second, true
	}
	return 0, c == 'T'
}
