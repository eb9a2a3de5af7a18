package message

import (
	"strings"
	"testing"
	"time"
)

// FuzzDeliveryStatus: whatever a delivery status holds, codes are codes, actions are
// actions, and an address that stands on a line of its own is found.
func FuzzDeliveryStatus(f *testing.F) {
	for _, s := range []string{
		"Reporting-MTA: dns; mx.b.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no\n",
		"Final-Recipient: utf-8; \\x{FC}@b.example\nStatus: 4.4.7 (x)\n fold\n", "Action: failed\nStatus: 5.0.0\n\n\nFinal-Recipient: a@b\nFinal-Recipient: c@d",
		"Original-Recipient: rfc822;\nAction: <delay>", ": x\n;", "Diagnostic-Code: 550-5.7.1\n 550 5.7.1", "Status: 5.1.1.1\nStatus: 5.1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := parse(t, statusHead+s)
		if m.Class != ClassBounce || m.Bounce == nil {
			t.Fatalf("%q: %s", s, m.Class)
		}
		if strings.ContainsAny(s, "\r\x00") || strings.Contains(s, "--") {
			return
		}
		m = parse(t, statusHead+"Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; seen@b.example\nAction: failed\nStatus: 5.1.1\n\n"+s)
		if len(m.Bounce.Recipients) == 0 || m.Bounce.Recipients[0].Address != "seen@b.example" || m.Bounce.Recipients[0].Action != "failed" {
			t.Fatalf("%q hides the recipient: %+v", s, m.Bounce)
		}
	})
}

// FuzzNotice: whatever a notification for people says, the recipient before it is
// found, and the result is valid.
func FuzzNotice(f *testing.F) {
	for _, s := range []string{
		"Remote host said: 550 5.1.1 no", "<x@y.example>:\n\"z@y.example\": 552", "550 <a@b.example>... no", "----- Original message -----\nTo: x", "host [1.2.3.4]",
		">>> RCPT TO:<a@b>\n<<< 450 4.7.1", "Transcript of session follows\n\n", "x@y.example on Mon 10:00", "Final-Recipient: rfc822; q@b.example",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := parse(t, noticeHead+"This could not be delivered to one of its recipients\r\n\r\n<seen@b.example>:\r\n"+s)
		if m.Bounce == nil {
			t.Fatalf("%q: %s", s, m.Class)
		}
		if strings.Contains(strings.ToLower(s), "recipient") || strings.Contains(strings.ToLower(s), "status") || strings.Contains(strings.ToLower(s), "action") ||
			strings.Contains(strings.ToLower(s), "mta") || strings.Contains(strings.ToLower(s), "diagnostic") {
			return
		}
		if len(m.Bounce.Recipients) == 0 || m.Bounce.Recipients[0].Address != "seen@b.example" {
			t.Fatalf("%q hides the recipient: %+v", s, m.Bounce)
		}
	})
}

// FuzzCalendar: whatever a calendar holds, times are times, entries stay within the
// limit, and an entry before it is found.
func FuzzCalendar(f *testing.F) {
	for _, s := range []string{
		"BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20261201T100000\nDURATION:P1DT2H\nATTENDEE;CN=\"a:b;c\";RSVP=TRUE:mailto:a@b.example\nEND:VEVENT\nEND:VCALENDAR",
		"DTSTART;VALUE=DATE:20261201", "BEGIN:VEVENT\nDTSTART:99991231T235960Z\nDURATION:P600W\n", "SUMMARY:a\\,b\\\\\n c", ";:", "A;B=\"", "BEGIN:X\nEND:Y", "DTSTART;TZID=/x/Europe/Paris:20260329T023000",
		"DURATION:PT", "DURATION:P999999W", "END:VEVENT\nEND:VCALENDAR\nEND:VCALENDAR", "DTSTART;TZID=../../x:20261201T100000", "DTSTART:00000101T000000Z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := parse(t, calendarHead+"BEGIN:VEVENT\r\nUID:seen\r\nEND:VEVENT\r\n"+s)
		if len(m.Calendar) == 0 || m.Calendar[0].UID != "seen" || len(m.Calendar) > 100 {
			t.Fatalf("%q: %+v", s, m.Calendar)
		}
		for _, e := range m.Calendar {
			for _, at := range []CalendarTime{e.Start, e.End, e.RecurrenceID} {
				layout := calendarTime
				if at.DateOnly {
					layout = calendarDate
				}
				if _, err := time.Parse(layout, at.Value); at.Value != "" && err != nil || at.Value == "" && !at.UTC.IsZero() {
					t.Fatalf("%q: %+v", s, at)
				}
			}
			if e.Sequence < 0 || components["V"+strings.ToUpper(e.Component)] == "" || strings.ContainsAny(e.UID+e.Method, "\x00\r") {
				t.Fatalf("%q: %+v", s, e)
			}
		}
	})
}
