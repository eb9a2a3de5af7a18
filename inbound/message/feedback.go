package message

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// FeedbackReport is what a feedback report (ARF, RFC 5965, RFC 6591) says about a
// message that was sent earlier. All of it is the sender's word.
type FeedbackReport struct {
	FeedbackType          string // abuse, fraud, virus, other, not-spam, auth-failure, opt-out..., lower case
	UserAgent             string
	Version               string
	SourceIP              string // as written, "" if it is no IP address
	ArrivalDate           time.Time
	Incidents             int // how many reports this one stands for, at least 1
	ReportingMTA          string
	OriginalEnvelopeID    string
	OriginalMailFrom      string // without angle brackets
	OriginalRcptTo        []string
	ReportedDomain        []string
	ReportedURI           []string
	AuthenticationResults []string
	AuthFailure           string // RFC 6591: adsp, bodyhash, dmarc, revoked, signature, spf; lower case
	DeliveryResult        string // RFC 6591, lower case
	OriginalMessageID     string
	OriginalHeaders       []OriginalField
}

// feedbackReport reads the feedback-report part; nil if the message is no report.
func (p *parser) feedbackReport(root *part) *FeedbackReport {
	pt := findPart(root, "message/feedback-report")
	if pt == nil && reportType(root) != "feedback-report" {
		return p.outlookComplaint(root)
	}
	r := &FeedbackReport{Incidents: 1}
	if pt != nil {
		for _, group := range fieldGroups(p.partText(pt), p.lim.Addresses) {
			for _, f := range group {
				p.feedbackField(r, f, pt.num)
			}
		}
	}
	if r.FeedbackType == "" {
		p.defect("", DefectReport, "a feedback report without a Feedback-Type")
	}
	p.original(root, r)
	return r
}

func (p *parser) original(root *part, r *FeedbackReport) {
	r.OriginalHeaders = p.originalHeader(root)
	r.OriginalMessageID = p.originalID(r.OriginalHeaders)
}

func (p *parser) feedbackField(r *FeedbackReport, f reportField, num string) {
	value := p.reportValue(f, num)
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	add := func(l *[]string, v string) {
		if v != "" && len(*l) < p.lim.Addresses {
			*l = append(*l, v)
		}
	}
	switch f.name {
	case "feedback-type":
		set(&r.FeedbackType, strings.ToLower(firstToken(value)))
	case "user-agent":
		set(&r.UserAgent, value)
	case "version":
		set(&r.Version, firstToken(value))
	case "source-ip":
		set(&r.SourceIP, ipText(value))
	case "arrival-date", "received-date":
		if r.ArrivalDate.IsZero() {
			r.ArrivalDate, _ = ParseDate(value)
		}
	case "incidents":
		r.Incidents = count(value)
	case "reporting-mta":
		set(&r.ReportingMTA, typed(value))
	case "original-envelope-id":
		set(&r.OriginalEnvelopeID, value)
	case "original-mail-from":
		set(&r.OriginalMailFrom, reportAddress(value))
	case "original-rcpt-to":
		add(&r.OriginalRcptTo, reportAddress(value))
	case "reported-domain":
		add(&r.ReportedDomain, value)
	case "reported-uri":
		add(&r.ReportedURI, value)
	case "authentication-results":
		add(&r.AuthenticationResults, value)
	case "auth-failure":
		set(&r.AuthFailure, strings.ToLower(firstToken(value)))
	case "delivery-result":
		set(&r.DeliveryResult, strings.ToLower(firstToken(value)))
	}
}

// ipText returns the IP address that value is, "" if it is none.
func ipText(value string) string {
	value = strings.Trim(firstToken(value), "[]")
	if len(value) > 5 && strings.EqualFold(value[:5], "IPv6:") {
		value = value[5:]
	}
	a, err := netip.ParseAddr(value)
	if err != nil {
		return ""
	}
	return a.WithZone("").String()
}

// count reads Incidents: a number of reports, 1 if it is none.
func count(value string) int {
	n, err := strconv.ParseInt(firstToken(value), 10, 32)
	if err != nil || n < 1 {
		return 1
	}
	return int(n)
}

// outlookComplaint reads the complaints of Microsoft's junk mail reporting program,
// which are the message and a subject, not ARF.
func (p *parser) outlookComplaint(root *part) *FeedbackReport {
	const lead = "complaint about message from "
	subject := p.msg.Subject
	if len(subject) < len(lead) || !strings.EqualFold(subject[:len(lead)], lead) || findPart(root, "message/rfc822") == nil || !root.multi {
		return nil
	}
	r := &FeedbackReport{FeedbackType: "abuse", Incidents: 1, SourceIP: ipText(subject[len(lead):])}
	p.original(root, r)
	for _, f := range r.OriginalHeaders {
		if strings.EqualFold(f.Name, "X-HmXmrOriginalRecipient") {
			r.OriginalRcptTo = []string{f.Value}
			return r
		}
	}
	return nil
}
