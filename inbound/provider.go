package inbound

import (
	"strings"
	"time"
)

// Provider is what a mail service says of a message that it took from its sender and
// keeps for us (inbound/ses). It is as trustworthy as the way on which it came, which
// the source that makes it has checked: never a header field of the message.
type Provider struct {
	Name       string // "ses"
	MessageID  string // the service's own id of the message, the same at each try
	ReceivedAt time.Time
	// The verdicts. Spam and Virus are told and never acted upon.
	SPF, DKIM, DMARC, Spam, Virus Verdict
}

// Verdict is a provider's word about a message, in lower case.
type Verdict string

// The verdicts, as SES has them. The zero Verdict is that nothing is known.
const (
	VerdictPass   Verdict = "pass"
	VerdictFail   Verdict = "fail"
	VerdictGray   Verdict = "gray"              // neither
	VerdictFailed Verdict = "processing_failed" // the check itself failed
)

// ParseVerdict reads a verdict in any case. What is none of them is the zero Verdict.
func ParseVerdict(s string) Verdict {
	for _, v := range []Verdict{VerdictPass, VerdictFail, VerdictGray, VerdictFailed} {
		if strings.EqualFold(s, string(v)) {
			return v
		}
	}
	return ""
}
