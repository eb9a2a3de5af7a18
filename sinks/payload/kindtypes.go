package payload

// The types of what the native payload says about bounces, feedback reports and
// calendars, in the order of their keys.

type bounce struct {
	Format             string            `json:"format"`
	ReportingMTA       string            `json:"reporting_mta"`
	ArrivalDate        *string           `json:"arrival_date"`
	OriginalEnvelopeID string            `json:"original_envelope_id"`
	Recipients         []bounceRecipient `json:"recipients"`
	OriginalMessageID  string            `json:"original_message_id"`
	OriginalHeaders    []headerField     `json:"original_headers"`
}

type bounceRecipient struct {
	Address           string `json:"address"`
	OriginalRecipient string `json:"original_recipient"`
	Action            string `json:"action"`
	Status            string `json:"status"`
	Reply             string `json:"reply"`
	Diagnostic        string `json:"diagnostic"`
	RemoteMTA         string `json:"remote_mta"`
}

type feedbackReport struct {
	FeedbackType          string        `json:"feedback_type"`
	UserAgent             string        `json:"user_agent"`
	Version               string        `json:"version"`
	SourceIP              string        `json:"source_ip"`
	ArrivalDate           *string       `json:"arrival_date"`
	Incidents             int           `json:"incidents"`
	ReportingMTA          string        `json:"reporting_mta"`
	OriginalEnvelopeID    string        `json:"original_envelope_id"`
	OriginalMailFrom      string        `json:"original_mail_from"`
	OriginalRcptTo        []string      `json:"original_rcpt_to"`
	ReportedDomain        []string      `json:"reported_domain"`
	ReportedURI           []string      `json:"reported_uri"`
	AuthenticationResults []string      `json:"authentication_results"`
	AuthFailure           string        `json:"auth_failure"`
	DeliveryResult        string        `json:"delivery_result"`
	OriginalMessageID     string        `json:"original_message_id"`
	OriginalHeaders       []headerField `json:"original_headers"`
}

type calendarEntry struct {
	Component    string        `json:"component"`
	Method       string        `json:"method"`
	UID          string        `json:"uid"`
	RecurrenceID *calendarTime `json:"recurrence_id"`
	Sequence     int           `json:"sequence"`
	Status       string        `json:"status"`
	Summary      string        `json:"summary"`
	Description  string        `json:"description"`
	Location     string        `json:"location"`
	Start        *calendarTime `json:"start"`
	End          *calendarTime `json:"end"`
	RRule        string        `json:"rrule"`
	Organizer    *attendee     `json:"organizer"`
	Attendees    []attendee    `json:"attendees"`
}

type calendarTime struct {
	Value    string  `json:"value"`
	TZID     string  `json:"tzid"`
	DateOnly bool    `json:"date_only"`
	UTC      *string `json:"utc"`
}

type attendee struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Role     string `json:"role"`
	PartStat string `json:"partstat"`
	RSVP     bool   `json:"rsvp"`
}
