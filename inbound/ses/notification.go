package ses

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mxhook/inbound"
)

// ErrNotSES says that something is not what SES sends of a message that it keeps in S3.
var ErrNotSES = errors.New("not a notification of SES about a message in S3")

// Notification is what SES says of one message.
type Notification struct {
	inbound.Provider
	ReversePath string // as SES writes it: without angle brackets, "" is the null one
	Recipients  []string
	Bucket, Key string

	fromObject bool // all but bucket and key stands in the message alone
}

// text of SES's notification (Contents of notifications for SES email receiving), as
// much of it as is used.
type text struct {
	NotificationType string `json:"notificationType"`
	Mail             struct {
		Timestamp time.Time `json:"timestamp"`
		Source    *string   `json:"source"`
		MessageID string    `json:"messageId"`
	} `json:"mail"`
	Receipt struct {
		Timestamp  time.Time `json:"timestamp"`
		Recipients []string  `json:"recipients"`
		SPF        verdict   `json:"spfVerdict"`
		DKIM       verdict   `json:"dkimVerdict"`
		DMARC      verdict   `json:"dmarcVerdict"`
		Spam       verdict   `json:"spamVerdict"`
		Virus      verdict   `json:"virusVerdict"`
		Action     struct {
			Type   string `json:"type"`
			Bucket string `json:"bucketName"`
			Key    string `json:"objectKey"`
		} `json:"action"`
	} `json:"receipt"`
}

type verdict struct {
	Status string `json:"status"`
}

// Parse reads the JSON of a notification, as SNS and the Lambda action have it. A
// Lambda action doesn't say where the message is: there the key is that of an S3 action
// before it in the same rule, in the bucket and with the prefix given. ok is false for
// what is of SES but about no message. The error wraps ErrNotSES.
func Parse(data []byte, bucket, prefix string) (n Notification, ok bool, err error) {
	var x text
	if err := json.Unmarshal(data, &x); err != nil {
		return n, false, fmt.Errorf("%w: no JSON", ErrNotSES)
	}
	if x.NotificationType != "" && x.NotificationType != "Received" {
		return n, false, nil
	}
	r := x.Receipt
	n = Notification{
		Provider: inbound.Provider{
			Name: "ses", MessageID: x.Mail.MessageID, ReceivedAt: x.Mail.Timestamp,
			SPF: inbound.ParseVerdict(r.SPF.Status), DKIM: inbound.ParseVerdict(r.DKIM.Status), DMARC: inbound.ParseVerdict(r.DMARC.Status),
			Spam: inbound.ParseVerdict(r.Spam.Status), Virus: inbound.ParseVerdict(r.Virus.Status),
		},
		Recipients: r.Recipients, Bucket: r.Action.Bucket, Key: r.Action.Key,
	}
	switch {
	case !isID(n.MessageID) || x.Mail.Source == nil || len(n.Recipients) == 0:
		return n, false, fmt.Errorf("%w: messageId, source or recipients are missing", ErrNotSES)
	case strings.EqualFold(r.Action.Type, "S3"):
	case strings.EqualFold(r.Action.Type, "Lambda"):
		n.Bucket, n.Key = bucket, prefix+n.MessageID
	default:
		return n, false, fmt.Errorf("%w: its action is neither S3 nor Lambda; let the rule's S3 action notify, not an SNS action", ErrNotSES)
	}
	if n.Bucket == "" || n.Key == "" {
		return n, false, fmt.Errorf("%w: no bucket and key; set MXHOOK_SES_BUCKET for a Lambda action", ErrNotSES)
	}
	if n.ReceivedAt.IsZero() {
		n.ReceivedAt = r.Timestamp
	}
	n.ReversePath = strings.TrimSuffix(strings.TrimPrefix(*x.Mail.Source, "<"), ">")
	return n, true, nil
}

// FromObject is the notification of an object that S3 tells of, where SES itself tells
// nothing: the envelope is what SES wrote before the message, which names one recipient.
// ok is false for what SES writes to try the bucket.
func FromObject(bucket, key string, created time.Time) (n Notification, ok bool) {
	id := key[strings.LastIndexByte(key, '/')+1:]
	n = Notification{Bucket: bucket, Key: key, Provider: inbound.Provider{Name: "ses", MessageID: id, ReceivedAt: created}, fromObject: true}
	return n, id != setupObject
}

const setupObject = "AMAZON_SES_SETUP_NOTIFICATION"

// fillFrom takes the envelope and verdicts out of the opening.
func (n *Notification) fillFrom(o opening) error {
	if !o.known || !o.hasReversePath || o.recipient == "" {
		return fmt.Errorf("%w: the object has no first fields of SES with the id of its key and a recipient; let SES notify by SNS, which tells all recipients", ErrNotSES)
	}
	n.ReversePath, n.Recipients = o.reversePath, []string{o.recipient}
	n.SPF, n.Spam, n.Virus = o.spf, o.spam, o.virus
	return nil
}

// isID tells whether s may be an id of SES: letters, digits, - and _.
func isID(s string) bool {
	return s != "" && len(s) <= 256 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
