package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/trace"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// HeaderField is one field of a header section as receivers of providers see it.
type HeaderField struct {
	Name string // as it was written
	// Value is unfolded, with encoded words decoded. A field of addresses stays one that
	// can be parsed: names that were encoded are quoted.
	Value string
	Raw   string // unfolded, as it was written; Value where that is no UTF-8
}

// Header returns the header section of a raw copy of e as a list: our trace fields,
// then those of the message without those that a raw copy leaves out.
func Header(e *sinks.Event) []HeaderField {
	var list []HeaderField
	for _, f := range trace.List(e) {
		list = append(list, HeaderField{f.Name, f.Body, f.Body})
	}
	for _, f := range e.Message.Header {
		if !cutOut(e, f) {
			raw := strings.TrimSpace(strings.Map(oneLine, unfold(f.Raw)))
			if !utf8.ValidString(raw) {
				raw = strings.Map(oneLine, f.Value)
			}
			list = append(list, HeaderField{f.Name, readable(f, raw), raw})
		}
	}
	return list
}

// readable is the value of a field. A name may hold, encoded, what ends it: decoded as it
// stands, =?utf-8?q?boss=40bank=2Eexample=2C?= <x@other.example> would be two authors.
func readable(f message.Field, raw string) string {
	switch strings.ToLower(f.Name) {
	case "from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-bcc":
	default:
		return f.Value
	}
	if !strings.Contains(raw, "=?") {
		return f.Value
	}
	if list, ok := message.ParseAddresses(raw); ok && len(list) > 0 {
		return Mailboxes(list)
	}
	return strings.ToValidUTF8(raw, "\uFFFD")
}

// TitleCase writes a field's name as Mailgun and Mandrill do: Message-Id, Mime-Version.
func TitleCase(name string) string {
	b := []byte(strings.ToLower(name))
	for i := range b {
		if (i == 0 || b[i-1] == '-') && 'a' <= b[i] && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// cutOut tells whether a raw copy of e leaves a field out.
func cutOut(e *sinks.Event, f message.Field) bool {
	for _, c := range e.Cut {
		if f.Start < c.End && c.Start < f.End {
			return true
		}
	}
	return false
}

// unfold takes the line ends of folds out and leaves their blanks (RFC 5322 2.2.3).
func unfold(s string) string {
	return strings.NewReplacer("\r\n", "", "\n", "").Replace(s)
}

func oneLine(r rune) rune {
	if r == '\r' || r == '\n' || r == 0 {
		return ' '
	}
	return r
}

// First returns the value of the first field of that name, "" without one.
func First(list []HeaderField, name string) string {
	for _, f := range list {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Mailbox writes an address as providers show it: "Name" <local@domain>, or the bare
// address.
func Mailbox(a message.Address) string {
	if a.Name == "" {
		return a.Address
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.Name) + `" <` + a.Address + ">"
}

// Mailboxes writes a list of addresses, "" for none.
func Mailboxes(list []message.Address) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = Mailbox(a)
	}
	return strings.Join(texts, ", ")
}

// SPF is what was found out of the reverse-path, with the result none where nothing was.
func SPF(e *sinks.Event) verify.SPF {
	if e.Results == nil || e.Results.SPF.Result == "" {
		return verify.SPF{Result: authres.None}
	}
	return e.Results.SPF
}

// JSONText is the JSON of what always has one, for a field of a form.
func JSONText(v any) string {
	p, _ := json.Marshal(v)
	return string(p)
}

// ContentIDs is an object from the content ids of attachments, within before and after, to
// what at says of each. Of two with one id the first counts.
func ContentIDs(list []message.Attachment, before, after string, at func(i int) string) Object {
	o, seen := Object{}, map[string]bool{}
	for i := range list {
		if id := list[i].ContentID; id != "" && !seen[id] {
			seen[id] = true
			o = append(o, Member{before + id + after, at(i)})
		}
	}
	return o
}

// UUID is an identifier of e in the form of RFC 9562 (version 8), for receivers whose
// provider gives such ones: the same for the same event id.
func UUID(e *sinks.Event) string {
	sum := sha256.Sum256([]byte("uuid " + e.ID))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	x := hex.EncodeToString(sum[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// Tag is what follows the first "+" of a recipient's local part.
func Tag(r sinks.Recipient) string {
	_, tag, _ := strings.Cut(r.Path.LocalPart, "+")
	return tag
}
