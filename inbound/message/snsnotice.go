package message

import (
	"encoding/json"
	"strings"
	"time"
)

// snsNotice is what Amazon SES reports about a message, in JSON, as SNS mails it to
// who subscribed an address.
type snsNotice struct {
	Message string `json:"Message"` // the notice itself, when SNS wraps it
	Type    string `json:"notificationType"`
	Bounce  struct {
		Recipients []struct {
			Address    string `json:"emailAddress"`
			Action     string `json:"action"`
			Status     string `json:"status"`
			Diagnostic string `json:"diagnosticCode"`
		} `json:"bouncedRecipients"`
		ReportingMTA string `json:"reportingMTA"`
	} `json:"bounce"`
	Delivery struct {
		Recipients   []string `json:"recipients"`
		Response     string   `json:"smtpResponse"`
		ReportingMTA string   `json:"reportingMTA"`
	} `json:"delivery"`
	Mail struct {
		Timestamp time.Time `json:"timestamp"`
		Headers   []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
	} `json:"mail"`
}

// snsBounce reads such a notice about a bounce or a delivery; nil if the message is
// none.
func (p *parser) snsBounce() *Bounce {
	if len(p.msg.From) != 1 || !strings.HasSuffix(strings.ToLower(p.msg.From[0].Address), "@sns.amazonaws.com") {
		return nil
	}
	// A line that sendmail broke ends in "!" and goes on after a blank.
	text := strings.ReplaceAll(p.msg.Text[:min(len(p.msg.Text), noticeSize)], "!\n ", "")
	var n snsNotice
	if json.NewDecoder(strings.NewReader(text)).Decode(&n) != nil {
		return nil
	}
	if n.Message != "" && json.Unmarshal([]byte(n.Message), &n) != nil {
		return nil
	}
	b := &Bounce{Format: "text", ArrivalDate: n.Mail.Timestamp, ReportingMTA: neutral(typed(n.Bounce.ReportingMTA + n.Delivery.ReportingMTA))}
	for _, r := range n.Bounce.Recipients {
		b.Recipients = append(b.Recipients, BounceRecipient{
			Address: neutral(r.Address), Action: strings.ToLower(r.Action), Status: r.Status, Diagnostic: neutral(typed(r.Diagnostic)),
		})
	}
	for _, address := range n.Delivery.Recipients {
		b.Recipients = append(b.Recipients, BounceRecipient{Address: neutral(address), Action: "delivered", Diagnostic: neutral(n.Delivery.Response)})
	}
	if len(b.Recipients) == 0 || n.Type != "Bounce" && n.Type != "Delivery" {
		return nil
	}
	for i := range b.Recipients {
		b.Recipients[i].finish()
	}
	for _, h := range n.Mail.Headers {
		b.OriginalHeaders = append(b.OriginalHeaders, OriginalField{neutral(h.Name), neutral(h.Value)})
	}
	return b
}
