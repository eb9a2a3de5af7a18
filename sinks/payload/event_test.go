package payload

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/verify"
	"mxhook/verify/authres"
)

const testID = "msg_abcdefghijklmnopqrstuvwxyz"

// bareEvent is an event that holds as little as one can.
func bareEvent() *sinks.Event {
	return &sinks.Event{
		ID:         testID,
		Recipients: []sinks.Recipient{{Path: inbound.Path{LocalPart: "postmaster"}}},
		Message:    &message.Message{},
		Data:       inbound.NewMailData(nil),
	}
}

// fullEvent is an event whose every field is filled; every text is made by text.
func fullEvent(text func(string) string) *sinks.Event {
	file := []byte("%PDF-1.7 " + text("content"))
	attached := message.Attachment{
		Filename: text("a.pdf"), ContentType: text("application/pdf"), Charset: text("utf-8"), Disposition: "attachment",
		ContentID: text("cid@sender.example"), Size: int64(len(file)), SHA256: sha256.Sum256(file),
	}.WithContent(open(file))
	inline := attached
	inline.Disposition = "inline"
	people := []message.Address{{Name: text("Ann"), Address: text("ann@sender.example")}, {Address: text("bob@sender.example")}}
	return &sinks.Event{
		ID:         testID,
		Route:      text("tickets"),
		ReceivedAt: time.Date(2026, 11, 21, 11, 0, 0, 123_999_999, time.FixedZone("", 3600)),
		Hostname:   "mx.in.example",
		Session: inbound.Session{
			RemoteIP: netip.MustParseAddr("::ffff:192.0.2.1"), HELO: text("mail.sender.example"), User: text("scanner"),
			TLS: &inbound.TLS{Version: text("TLS 1.3"), Cipher: text("TLS_AES_128_GCM_SHA256"), ServerName: text("mx.in.example")},
		},
		Mail: inbound.Mail{ReversePath: inbound.Path{LocalPart: text("ann"), Domain: text("sender.example")}, Protocol: "ESMTPS", Provider: &inbound.Provider{
			Name: "ses", MessageID: text("o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1"), ReceivedAt: time.Date(2026, 11, 21, 9, 59, 59, 0, time.UTC),
			SPF: inbound.VerdictPass, DKIM: inbound.VerdictPass, DMARC: inbound.VerdictGray, Spam: inbound.VerdictPass, Virus: inbound.VerdictFail,
		}},
		Recipients: []sinks.Recipient{
			{Path: inbound.Path{LocalPart: text("support") + "+42+7", Domain: text("in.example")}, Captures: map[string]string{"ticket": text("42"), text("b"): text("c")}},
			{Path: inbound.Path{LocalPart: "odd one", Domain: "in.example"}},
		},
		Message: &message.Message{
			Header:    []message.Field{{Name: text("Received"), Value: text("from a")}, {Name: "received", Value: text("from b")}},
			MessageID: text("<1@sender.example>"), Date: time.Date(2026, 11, 21, 10, 59, 58, 7, time.FixedZone("", 3600)), Subject: text("Hello"),
			From: people, Sender: &people[0], ReplyTo: people, To: people, Cc: people, Bcc: people,
			InReplyTo: []string{text("<0@sender.example>")}, References: []string{text("<0@sender.example>")},
			Text: text("Hello\n"), HTML: text("<p>Hello & good bye</p>"), TextFromHTML: true,
			Attachments: []message.Attachment{attached, inline},
			Class:       message.ClassList,
			Automatic:   message.Automatic{AutoSubmitted: text("auto-replied"), Precedence: text("bulk"), Reason: text("Precedence")},
			List:        message.List{ID: text("list.example"), Unsubscribe: []string{text("mailto:off@list.example")}, OneClick: true},
			Bounce:      fullBounce(text), FeedbackReport: fullFeedback(text), Calendar: fullCalendar(text),
			Security: message.Security{Signed: "smime", Encrypted: "pgp"},
			Defects:  []message.Defect{{Part: text("1.2"), Code: "charset-unknown", Text: text("charset x")}},
		},
		Results: fullResults(text),
		Data:    inbound.NewMailData([]byte("Subject: Hello\r\n\r\n" + text("Hello") + "\r\n")),
	}
}

func fullBounce(text func(string) string) *message.Bounce {
	return &message.Bounce{
		Format: "rfc3464", ReportingMTA: text("mx.sender.example"), ArrivalDate: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC),
		OriginalEnvelopeID: text("env-1"),
		Recipients: []message.BounceRecipient{{
			Address: text("nobody@sender.example"), OriginalRecipient: text("alias@sender.example"), Action: "failed", Status: "5.1.1", Reply: "550",
			Diagnostic: text("550 5.1.1 no such user"), RemoteMTA: text("mail.sender.example"),
		}},
		OriginalMessageID: text("<news-7@in.example>"), OriginalHeaders: []message.OriginalField{{Name: text("Subject"), Value: text("News")}},
	}
}

func fullFeedback(text func(string) string) *message.FeedbackReport {
	return &message.FeedbackReport{
		FeedbackType: text("abuse"), UserAgent: text("ExampleFBL/1.0"), Version: text("1"), SourceIP: "192.0.2.1",
		ArrivalDate: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), Incidents: 2, ReportingMTA: text("mx.sender.example"),
		OriginalEnvelopeID: text("env-1"), OriginalMailFrom: text("news@in.example"), OriginalRcptTo: []string{text("ann@sender.example")},
		ReportedDomain: []string{text("in.example")}, ReportedURI: []string{text("https://in.example/")},
		AuthenticationResults: []string{text("mx.sender.example; spf=fail")}, AuthFailure: text("spf"), DeliveryResult: text("delivered"),
		OriginalMessageID: text("<news-7@in.example>"), OriginalHeaders: []message.OriginalField{{Name: text("Subject"), Value: text("News")}},
	}
}

func fullCalendar(text func(string) string) []message.CalendarEntry {
	at := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	ann := message.Attendee{Name: text("Ann"), Address: text("ann@sender.example"), Role: text("CHAIR"), PartStat: text("ACCEPTED"), RSVP: true}
	return []message.CalendarEntry{{
		Component: "event", Method: text("REQUEST"), UID: text("budget-1@sender.example"), RecurrenceID: message.CalendarTime{Value: "2026-12-01", DateOnly: true},
		Sequence: 3, Status: text("CONFIRMED"), Summary: text("Budget"), Description: text("The budget"), Location: text("Room 1"),
		Start: message.CalendarTime{Value: "2026-12-01T11:00:00", TZID: text("Europe/Berlin"), UTC: at},
		End:   message.CalendarTime{Value: "2026-12-01T12:00:00", TZID: text("Europe/Berlin"), UTC: at.Add(time.Hour)},
		RRule: text("FREQ=WEEKLY"), Organizer: &ann, Attendees: []message.Attendee{ann, {Address: text("support@in.example")}},
	}}
}

func fullResults(text func(string) string) *verify.Results {
	return &verify.Results{
		SPF:     verify.SPF{Result: authres.Pass, Domain: text("sender.example"), Reason: text("mechanism a"), Mechanism: text("a:mail.sender.example"), DNSSEC: true},
		SPFHelo: verify.SPF{Result: authres.SoftFail, Domain: text("mail.sender.example"), Reason: text("all"), Explanation: text("see https://sender.example/spf")},
		DKIM: []verify.DKIM{
			{
				Result: authres.Pass, Domain: text("sender.example"), Selector: text("s1"), Algorithm: text("rsa-sha256"), Aligned: true, Reason: text("good"),
				Identity: text("ann@sender.example"), KeyBits: 2048, Oversigned: []string{text("from"), "subject"}, Unsigned: 7, Testing: true,
				Signed: time.Unix(1_790_000_000, 0), Expires: time.Unix(1_800_000_000, 0), DNSSEC: true,
			},
			{Result: authres.PermError, Reason: text("no key")},
		},
		DMARC: verify.DMARC{
			Result: authres.Pass, Domain: text("sender.example"), PolicyDomain: text("sender.example"), OrganizationalDomain: text("sender.example"),
			Policy: "reject", Disposition: "none", SPFAligned: true, DKIMAligned: true, Reason: text("dkim"),
			AggregateReports: []string{text("mailto:a@sender.example!10m")}, FailureReports: []string{text("mailto:f@sender.example")}, Testing: true, DNSSEC: true,
		},
		ARC:                verify.ARC{Result: authres.Pass, ChainLength: 1, Sealers: []string{text("list.example")}, Trusted: true, Reason: text("sealed")},
		IPRev:              verify.IPRev{Result: authres.Pass, Name: text("mail.sender.example"), Reason: text("there and back")},
		HELO:               verify.HELO{Result: authres.Fail, Name: text("mail.sender.example"), Reason: text("elsewhere")},
		FromVerified:       true,
		FromVerifiedBy:     "dkim",
		FromVerifiedReason: text("DMARC passes"),
		Header:             text("mx.in.example; spf=pass smtp.mailfrom=sender.example"),
		ReceivedSPF:        text("pass (mx.in.example)"),
	}
}

func same(s string) string { return s }
