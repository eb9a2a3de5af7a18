package message

import (
	"strings"
)

// noticeSize bounds how much of a notification's text is looked at.
const noticeSize = 64 << 10

// noticeSubjects are what the subjects of notifications hold, in lower case.
var noticeSubjects = []string{
	"failure notice", "undeliver", "delivery failure", "delivery fail", "returned mail", "delivery status notification",
	"mail failure", "delivery has failed", "mail system error", "could not be delivered", "error sending your mail",
	"delayed", "delivery report", "delivery notification", "not delivered", "errors from", "mail delivery", "配信できません",
}

// noticePhrases are what the texts of notifications hold, in lower case. They are
// the words of Exim, qmail, Postfix, sendmail, Courier, OpenSMTPD, dma, Exchange,
// Domino, Gmail, Yahoo, GMX and their like.
var noticePhrases = []string{
	"could not be delivered", "couldn't be delivered", "wasn't able to deliver", "unable to deliver", "was not delivered",
	"not yet been delivered", "did not reach the following", "delivery to the following recipient", "delivery failed",
	"delivery has failed", "following address", "error has occurred while attempting to deliver", "rejected by a remote",
	"transcript of session", "had delivery errors", "had delivery problems", "permanent fatal errors", "trouble delivering",
	"invalid final delivery", "incorrectly constructed", "is delayed for", "error delivering your mail", "server message",
	"undeliverable", "permanent error", "permanent failure", "was undeliverable", "we're writing to let you know that the group",
	"google groups", "unknown user:", "rcpt to:<", "mail delivery software", "delivery status notification", "mail delivery system",
}

// textBounce reads a notification that is written for people. sure tells that it is
// known as one; otherwise who sent it and what it says must be those of a mail
// system, and it must name a recipient or return the message.
func (p *parser) textBounce(root *part, sure bool) *Bounce {
	author := p.noticeAuthor()
	if !sure && author == person {
		return nil
	}
	text := p.msg.Text[:min(len(p.msg.Text), noticeSize)]
	notice, original := cutOriginal(text)
	returned := original != "" || findPart(root, "message/rfc822", "text/rfc822-headers") != nil
	if !sure && !p.isNotice(author, lowerASCII(notice), returned) {
		return nil
	}
	b := &Bounce{Format: "text", OriginalHeaders: p.innerHeader([]byte(original))}
	if at := statusBlock(notice); at >= 0 {
		p.readStatus(b, notice[at:], "")
		b.complete(nil, transcript(notice))
	}
	if len(b.Recipients) == 0 {
		n := noticeReader{max: p.lim.Addresses}
		n.read(notice)
		n.failedRecipients(p)
		b.Recipients = n.result(lowerASCII(notice))
	}
	if len(b.Recipients) == 0 {
		if at := statusBlock(original); at >= 0 { // a report within the report
			p.readStatus(b, original[at:], "")
		}
	}
	if len(b.Recipients) == 0 && !returned && !sure {
		return nil
	}
	return b
}

// lowerASCII makes the letters of ASCII small: the words that are looked for have no
// others, and the tables of Unicode cost a hundred times as much.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

// transcript returns what a notification quotes of the SMTP session.
func transcript(notice string) string {
	_, after, ok := strings.Cut(notice, "Transcript of session follows")
	if !ok {
		return ""
	}
	after = strings.TrimLeft(after, "- \n")
	after, _, _ = strings.Cut(after, "\n\n")
	return after
}

// author is how much a message's author looks like a mail system.
type author int

const (
	person     author = iota
	nullPath          // a null reverse-path or Return-Path alone, which automatic replies have too
	postmaster        // or no author at all; it may be a person
	daemon
)

func (p *parser) noticeAuthor() author {
	from, _ := p.first("From")
	from = strings.ToLower(from)
	_, listed := p.first("X-Failed-Recipients")
	switch {
	case listed || strings.Contains(from, "mailer-daemon") || strings.Contains(from, "mail.delivery.system"):
		return daemon
	case strings.Contains(from, "postmaster") || strings.Contains(from, "post_master") || strings.Trim(from, " <>") == "":
		return postmaster
	}
	if path, _ := p.first("Return-Path"); p.opts.NullReversePath || strings.TrimSpace(path) == "<>" {
		return nullPath
	}
	return person
}

// isNotice tells by the words of a message whether a mail system wrote it.
func (p *parser) isNotice(from author, notice string, returned bool) bool {
	subject := containsAny(strings.ToLower(p.msg.Subject), noticeSubjects)
	phrase := containsAny(notice, noticePhrases)
	switch from {
	case daemon:
		return subject || phrase
	case postmaster:
		return subject && phrase
	}
	return phrase && returned && p.msg.Automatic.AutoSubmitted != "auto-replied"
}

func containsAny(s string, list []string) bool {
	for _, x := range list {
		if strings.Contains(s, x) {
			return true
		}
	}
	return false
}

// originalMarks begin the line, without dashes and the like, after which a
// notification returns the message; those in wholeMarks are all of that line.
var (
	originalMarks = []string{
		"this is a copy of the message", "this is a copy of your message", "below this line is a copy of the message",
		"the header of the original message", "below is a copy of the original message", "unsent message follows",
		"message headers follow", "message header follows", "included is a copy of the message header",
		"enclosed is a copy of the message", "original message follows", "original message header", "original mail info",
	}
	wholeMarks = []string{"original message", "original mail", "returned message", "original message headers", "message headers", "message follows"}
)

// cutOriginal divides a notification's text into what the mail system says and the
// message that it returns.
func cutOriginal(text string) (notice, original string) {
	at := 0
	for line := range strings.Lines(text) {
		next := at + len(line)
		t := strings.Trim(line, " \t\r\n-=*:.")
		if len(t) < 100 {
			t = lowerASCII(t)
		} else {
			t = "" // too long for a mark
		}
		for _, m := range originalMarks {
			if strings.HasPrefix(t, m) {
				return text[:at], fromFirstField(text[next:])
			}
		}
		for _, m := range wholeMarks {
			if t == m {
				return text[:at], fromFirstField(text[next:])
			}
		}
		// A returned header section without a word before it.
		if strings.HasPrefix(line, "Received: from ") || strings.HasPrefix(line, "Received: by ") || strings.HasPrefix(line, "Return-Path: <") {
			return text[:at], text[at:]
		}
		at = next
	}
	return text, ""
}

// fromFirstField leaves out what stands before the first line that is a field.
func fromFirstField(text string) string {
	at := 0
	for line := range strings.Lines(text) {
		if fieldName([]byte(line)) > 0 {
			return text[at:]
		}
		at += len(line)
	}
	return ""
}

// statusBlock returns where in a text the fields of a delivery status begin, -1 if
// it has none: some mail systems write them as text.
func statusBlock(text string) int {
	at, first := 0, -1
	for line := range strings.Lines(text) {
		if n := fieldName([]byte(line)); n > 0 {
			switch strings.ToLower(line[:n]) {
			case "reporting-mta", "action", "original-recipient", "diagnostic-code", "status":
				if first < 0 {
					first = at
				}
			case "final-recipient":
				if first < 0 {
					first = at
				}
				return first
			}
		}
		at += len(line)
	}
	return -1
}
