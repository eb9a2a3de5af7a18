// Package message reads a message's bytes (RFC 5322, RFC 2045 to 2049) into what an
// application wants to know: header fields, addresses, text, attachments.
//
// Parse never fails: what can't be read is left out and listed in Defects, and the
// bytes are still there for who wants them. Its cost is linear in the bytes, and
// limits bound what a hostile message can make it do. Attachments are ranges of
// the bytes, decoded when they are read, so they are valid only as long as the
// io.ReaderAt that was parsed.
package message

import (
	"io"
	"time"

	"mxhook/inbound/message/reply"
)

// Message is the parsed form of a message. All strings are valid UTF-8.
type Message struct {
	Header     []Field
	MessageID  string    // with its angle brackets, "" without one
	Date       time.Time // zero when missing or not a date
	Subject    string
	From       []Address
	Sender     *Address
	ReplyTo    []Address
	To         []Address
	Cc         []Address
	Bcc        []Address
	InReplyTo  []string
	References []string
	Text       string // line ends are \n
	HTML       string
	// TextFromHTML tells that the message has no text part and Text was made of HTML.
	TextFromHTML bool
	// Reply is Text divided: what the writer added, the quote, the signature.
	Reply          reply.Parts
	Attachments    []Attachment
	Class          Class
	Automatic      Automatic
	List           List
	Bounce         *Bounce         // not nil if and only if Class is ClassBounce
	FeedbackReport *FeedbackReport // not nil if and only if Class is ClassFeedbackReport
	Calendar       []CalendarEntry
	Security       Security
	Defects        []Defect
}

// Field is one header field in the order of the message.
type Field struct {
	Name  string // as written
	Value string // unfolded, encoded words decoded
	Raw   string // the field body as written, folds and encoded words kept, without the last line end
	Start int64  // offset of the field's first octet in the message
	End   int64  // offset after its line end
}

// Address is one mailbox of an address list. Groups are flattened.
type Address struct {
	Name    string // display name, decoded
	Address string // local-part@domain as written
}

// Attachment is a leaf part that is not the text or html of the message.
type Attachment struct {
	Filename    string // as the sender named it, decoded; never a path to be trusted
	ContentType string // lower case, without parameters
	Charset     string
	Disposition string // "attachment" or "inline"
	ContentID   string // without angle brackets
	Size        int64  // octets after decoding
	SHA256      [32]byte
	open        func() io.Reader
	openBase64  func() io.Reader // nil if it is not base64 that is as it should be
}

// Open returns a new reader over the decoded octets. It yields exactly Size octets.
// An error is one of reading the message.
func (a *Attachment) Open() io.Reader { return a.open() }

// Base64 returns a new reader over the base64 of the decoded octets, padded and
// without line ends, as it stands in the message: nothing is decoded and encoded
// again. It yields exactly the base64 of what Open yields. ok is false when the
// message does not have it in this form.
func (a *Attachment) Base64() (r io.Reader, ok bool) {
	if a.openBase64 == nil {
		return nil, false
	}
	return a.openBase64(), true
}

// WithContent returns a copy of a whose octets open reads anew at each call. Size
// and SHA256 stay as they are: the caller has set what open yields. It serves
// octets that are no plain range of a parsed message.
func (a Attachment) WithContent(open func() io.Reader) Attachment {
	a.open, a.openBase64 = open, nil
	return a
}

// Class says what kind of mail a message is.
type Class string

// The classes.
const (
	ClassNormal         Class = "normal"
	ClassAutoReply      Class = "auto_reply"
	ClassBounce         Class = "bounce"
	ClassFeedbackReport Class = "feedback_report"
	ClassList           Class = "list"
	ClassCalendar       Class = "calendar"
)

// Automatic are the signs that a program wrote the message (RFC 3834).
type Automatic struct {
	AutoSubmitted string // keyword of the Auto-Submitted field, lower case; "no" without one
	Precedence    string // lower case
	Reason        string // which sign made the class automatic, "" if none
}

// List are the facts of a mailing list (RFC 2919, 2369, 8058).
type List struct {
	ID          string
	Unsubscribe []string // URIs of List-Unsubscribe in order
	OneClick    bool
}

// Security says whether the content is signed or encrypted: "none", "smime", "pgp".
type Security struct {
	Signed    string
	Encrypted string
}

// Defect is something in the message that is not as the standards want it.
type Defect struct {
	Part string // number of the part as in IMAP ("1.2"), "" for the message itself
	Code string // closed set, see the constants of this package
	Text string
}
