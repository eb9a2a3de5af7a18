package message

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// CalendarEntry is one event, task, journal or free-busy entry of a calendar
// (RFC 5545) that the message carries (RFC 5546, RFC 6047). All of it is the
// sender's word.
type CalendarEntry struct {
	Component    string // event, todo, journal or freebusy
	Method       string // upper case, as in REQUEST, REPLY, CANCEL; "" without one
	UID          string
	RecurrenceID CalendarTime // which occurrence is meant; its Value is "" if all are
	Sequence     int
	Status       string // upper case, as in CONFIRMED, TENTATIVE, CANCELLED
	Summary      string
	Description  string
	Location     string
	Start        CalendarTime
	End          CalendarTime // DTEND, DUE, or what DURATION makes of the start
	RRule        string       // as written
	Organizer    *Attendee
	Attendees    []Attendee
}

// Attendee is an organizer or attendee.
type Attendee struct {
	Name     string // CN
	Address  string // without mailto:
	Role     string // upper case, as in REQ-PARTICIPANT; "" if not said
	PartStat string // upper case, as in ACCEPTED; "" if not said
	RSVP     bool
}

// CalendarTime is a date, or a time of day in a zone.
type CalendarTime struct {
	Value    string // 2026-12-01T10:00:00 or 2026-12-01, as the zone's clocks show it; "" if there is none
	TZID     string // as written, UTC for times in UTC, "" for a date or a floating time
	DateOnly bool
	UTC      time.Time // zero for a date, a floating time and a zone that is not known
}

// maxCalendars bounds how many parts of a message are read as calendars.
const maxCalendars = 10

// readCalendars reads the calendars among the parts. Mailers send the same one as an
// alternative and as a file: an entry that is there already is not listed again.
func (p *parser) readCalendars(root *part) {
	left := maxCalendars
	p.eachCalendar(root, func(pt *part) {
		if left--; left < 0 {
			p.defect(pt.num, DefectCalendarLimit, "too many calendars")
			return
		}
		c := calendarReader{parser: p, num: pt.num, method: strings.ToUpper(neutral(pt.params.get("method")))}
		c.read(p.partText(pt))
		for _, e := range c.entries {
			p.addEntry(e, pt.num)
		}
	})
}

func (p *parser) addEntry(e CalendarEntry, num string) {
	for i := range p.msg.Calendar {
		if p.msg.Calendar[i].same(&e) {
			return
		}
	}
	if len(p.msg.Calendar) >= p.lim.Events {
		p.defect(num, DefectCalendarLimit, "too many calendar entries")
		return
	}
	p.msg.Calendar = append(p.msg.Calendar, e)
}

// same tells whether e and o are one entry that the message carries twice.
func (e *CalendarEntry) same(o *CalendarEntry) bool {
	return e.UID == o.UID && e.Component == o.Component && e.Method == o.Method && e.Sequence == o.Sequence &&
		e.RecurrenceID == o.RecurrenceID && e.Start == o.Start && e.End == o.End && e.Status == o.Status &&
		slices.Equal(e.Attendees, o.Attendees)
}

// eachCalendar calls f for the parts that are calendars by their type or name.
func (p *parser) eachCalendar(pt *part, f func(*part)) {
	switch pt.media {
	case "text/calendar", "application/ics":
		f(pt)
	case "application/octet-stream", "text/plain":
		if name := pt.fileParam(); len(name) > 4 && strings.EqualFold(name[len(name)-4:], ".ics") {
			f(pt)
		}
	}
	for _, k := range pt.kids {
		p.eachCalendar(k, f)
	}
}

// fileParam is the file name as written.
func (p *part) fileParam() string {
	if name := p.dispParams.get("filename"); name != "" {
		return strings.TrimSpace(name)
	}
	return strings.TrimSpace(p.params.get("name"))
}

// calendarReader reads one calendar object stream.
type calendarReader struct {
	*parser
	num     string
	method  string // of the calendar, else of the part
	open    []string
	entry   *CalendarEntry
	length  time.Duration // DURATION of the entry
	entries []CalendarEntry
	people  int
	seen    bool // BEGIN:VCALENDAR
	zones   zones
}

func (c *calendarReader) bad(text string) { c.defect(c.num, DefectCalendar, text) }

func (c *calendarReader) read(text string) {
	eachContentLine(text, func(b []byte) {
		l, ok := parseContentLine(string(b))
		if !ok {
			c.bad("a line that is no property")
			return
		}
		switch l.name {
		case "BEGIN":
			c.begin(strings.ToUpper(strings.TrimSpace(l.value)))
		case "END":
			c.end(strings.ToUpper(strings.TrimSpace(l.value)))
		default:
			c.property(&l)
		}
	})
	if !c.seen {
		c.bad("no calendar")
	} else if len(c.open) > 0 {
		c.bad("a component without its end")
		c.endEntry()
	}
}

// components are those that are listed.
var components = map[string]string{"VEVENT": "event", "VTODO": "todo", "VJOURNAL": "journal", "VFREEBUSY": "freebusy"}

func (c *calendarReader) begin(name string) {
	if len(c.open) > 20 {
		c.bad("components nested too deep")
		return
	}
	c.open = append(c.open, name)
	c.seen = c.seen || name == "VCALENDAR"
	if kind := components[name]; kind != "" && c.entry == nil {
		if len(c.entries) >= c.lim.Events {
			c.defect(c.num, DefectCalendarLimit, "too many calendar entries")
			return
		}
		c.entry = &CalendarEntry{Component: kind, Method: c.method}
	}
}

func (c *calendarReader) end(name string) {
	k := len(c.open) - 1
	if k < 0 || c.open[k] != name {
		c.bad("an end without its beginning")
		return
	}
	c.open = c.open[:k]
	if components[name] != "" && k <= 1 {
		c.endEntry()
	}
}

func (c *calendarReader) endEntry() {
	e := c.entry
	if e == nil {
		return
	}
	if e.UID == "" && e.Component != "freebusy" {
		c.bad("an entry without a UID")
	}
	if e.End.Value == "" && c.length > 0 {
		e.End = e.Start.add(c.length, &c.zones)
	}
	c.entries = append(c.entries, *e)
	c.entry, c.length = nil, 0
}

// property takes a property of the calendar or of the entry itself; those of alarms
// and zones within are left out.
func (c *calendarReader) property(l *contentLine) {
	switch depth := len(c.open); {
	case depth == 1 && l.name == "METHOD":
		c.method = strings.ToUpper(neutral(strings.TrimSpace(l.value)))
	case c.entry != nil && depth > 0 && components[c.open[depth-1]] != "":
		c.entryProperty(c.entry, l)
	}
}

func (c *calendarReader) entryProperty(e *CalendarEntry, l *contentLine) {
	text := func(s *string) {
		if *s == "" {
			*s = unescapeText(l.value)
		}
	}
	when := func(t *CalendarTime) {
		if t.Value == "" {
			var ok bool
			if *t, ok = c.zones.time(l); !ok {
				c.bad("a time that is none")
			}
		}
	}
	switch l.name {
	case "UID":
		text(&e.UID)
	case "SUMMARY":
		text(&e.Summary)
	case "DESCRIPTION":
		text(&e.Description)
	case "LOCATION":
		text(&e.Location)
	case "STATUS":
		e.Status = strings.ToUpper(neutral(strings.TrimSpace(l.value)))
	case "RRULE":
		e.RRule = neutral(l.value)
	case "SEQUENCE":
		n, err := strconv.ParseInt(strings.TrimSpace(l.value), 10, 32)
		if err != nil || n < 0 {
			c.bad("a SEQUENCE that is no number")
			return
		}
		e.Sequence = int(n)
	case "DTSTART":
		when(&e.Start)
	case "DTEND", "DUE":
		when(&e.End)
	case "RECURRENCE-ID":
		when(&e.RecurrenceID)
	case "DURATION":
		var ok bool
		if c.length, ok = parseDuration(strings.TrimSpace(l.value)); !ok {
			c.bad("a DURATION that is none")
		}
	case "ORGANIZER":
		a := l.attendee()
		e.Organizer = &a
	case "ATTENDEE":
		if c.people++; c.people > c.lim.Addresses {
			c.defect(c.num, DefectAddressLimit, "too many attendees")
			return
		}
		e.Attendees = append(e.Attendees, l.attendee())
	}
}
