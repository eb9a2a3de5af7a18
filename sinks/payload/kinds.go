package payload

import "mxhook/inbound/message"

func bounceOf(b *message.Bounce) *bounce {
	if b == nil {
		return nil
	}
	out := &bounce{
		Format:             b.Format,
		ReportingMTA:       b.ReportingMTA,
		ArrivalDate:        dateOf(b.ArrivalDate),
		OriginalEnvelopeID: b.OriginalEnvelopeID,
		Recipients:         make([]bounceRecipient, 0, len(b.Recipients)),
		OriginalMessageID:  b.OriginalMessageID,
		OriginalHeaders:    originalOf(b.OriginalHeaders),
	}
	for _, r := range b.Recipients {
		out.Recipients = append(out.Recipients, bounceRecipient(r))
	}
	return out
}

func originalOf(in []message.OriginalField) []headerField {
	out := make([]headerField, 0, len(in))
	for _, f := range in {
		out = append(out, headerField(f))
	}
	return out
}

func feedbackOf(r *message.FeedbackReport) *feedbackReport {
	if r == nil {
		return nil
	}
	return &feedbackReport{
		FeedbackType:          r.FeedbackType,
		UserAgent:             r.UserAgent,
		Version:               r.Version,
		SourceIP:              r.SourceIP,
		ArrivalDate:           dateOf(r.ArrivalDate),
		Incidents:             r.Incidents,
		ReportingMTA:          r.ReportingMTA,
		OriginalEnvelopeID:    r.OriginalEnvelopeID,
		OriginalMailFrom:      r.OriginalMailFrom,
		OriginalRcptTo:        list(r.OriginalRcptTo),
		ReportedDomain:        list(r.ReportedDomain),
		ReportedURI:           list(r.ReportedURI),
		AuthenticationResults: list(r.AuthenticationResults),
		AuthFailure:           r.AuthFailure,
		DeliveryResult:        r.DeliveryResult,
		OriginalMessageID:     r.OriginalMessageID,
		OriginalHeaders:       originalOf(r.OriginalHeaders),
	}
}

func calendarOf(in []message.CalendarEntry) []calendarEntry {
	out := make([]calendarEntry, 0, len(in))
	for _, e := range in {
		c := calendarEntry{
			Component:    e.Component,
			Method:       e.Method,
			UID:          e.UID,
			RecurrenceID: calendarTimeOf(e.RecurrenceID),
			Sequence:     e.Sequence,
			Status:       e.Status,
			Summary:      e.Summary,
			Description:  e.Description,
			Location:     e.Location,
			Start:        calendarTimeOf(e.Start),
			End:          calendarTimeOf(e.End),
			RRule:        e.RRule,
			Attendees:    make([]attendee, 0, len(e.Attendees)),
		}
		if e.Organizer != nil {
			o := attendee(*e.Organizer)
			c.Organizer = &o
		}
		for _, a := range e.Attendees {
			c.Attendees = append(c.Attendees, attendee(a))
		}
		out = append(out, c)
	}
	return out
}

func calendarTimeOf(t message.CalendarTime) *calendarTime {
	if t.Value == "" {
		return nil
	}
	return &calendarTime{Value: t.Value, TZID: t.TZID, DateOnly: t.DateOnly, UTC: dateOf(t.UTC)}
}
