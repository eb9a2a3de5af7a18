package message

import "strings"

// classify fills Class and Automatic from header facts (RFC 3834, RFC 3464, RFC
// 5965) and the part tree. What only the text of a message tells is not looked at.
func (p *parser) classify(root *part) {
	m := p.msg
	m.Automatic = p.automatic(root)
	auto := m.Automatic.Reason != ""
	reply := auto && m.Automatic.AutoSubmitted != "auto-generated"
	switch {
	case reportType(root) == "delivery-status":
		m.Class = ClassBounce
	case reportType(root) == "feedback-report":
		m.Class = ClassFeedbackReport
	case reply:
		m.Class = ClassAutoReply
	case hasInvitation(root):
		m.Class = ClassCalendar
	case m.List.ID != "":
		m.Class = ClassList
	case auto:
		m.Class = ClassAutoReply
	default:
		m.Class = ClassNormal
	}
}

// reportType returns the report-type of a multipart/report, by its parameter or by
// the part that it must have.
func reportType(root *part) string {
	if root.declared != "multipart/report" {
		return ""
	}
	if t := strings.ToLower(root.params.get("report-type")); t != "" {
		return t
	}
	for _, k := range root.kids {
		if t, ok := strings.CutPrefix(k.media, "message/"); ok && t != "rfc822" {
			return t
		}
	}
	return ""
}

// hasInvitation tells whether a part is text/calendar with a method (RFC 6047).
func hasInvitation(p *part) bool {
	if p.media == "text/calendar" && p.params.get("method") != "" {
		return true
	}
	for _, k := range p.kids {
		if hasInvitation(k) {
			return true
		}
	}
	return false
}

// automatic collects the signs of RFC 3834 and those that vendors used before it.
func (p *parser) automatic(root *part) Automatic {
	a := Automatic{AutoSubmitted: "no"}
	if v, ok := p.first("Auto-Submitted"); ok {
		word, _, _ := strings.Cut(neutral(v), ";")
		if word = strings.ToLower(firstToken(word)); word != "" {
			a.AutoSubmitted = word
		}
	}
	if v, ok := p.first("Precedence"); ok {
		a.Precedence = strings.ToLower(firstToken(neutral(v)))
	}
	switch {
	case a.AutoSubmitted != "no":
		a.Reason = "Auto-Submitted: " + a.AutoSubmitted
	case a.Precedence == "auto_reply" || a.Precedence == "auto-reply":
		a.Reason = "Precedence: " + a.Precedence
	case reportType(root) == "disposition-notification":
		a.Reason = "report-type=disposition-notification"
	default:
		a.Reason = p.vendorSign()
	}
	return a
}

// vendorSign names the first field by which programs without RFC 3834 say that they
// answered.
func (p *parser) vendorSign() string {
	for _, name := range []string{"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-AutoReply-From", "X-Mail-Autoreply"} {
		if v, ok := p.first(name); ok && !strings.EqualFold(v, "no") && !strings.EqualFold(v, "false") {
			return name
		}
	}
	return ""
}

// security tells by the content types alone whether the message, or a part of it,
// is signed or encrypted (RFC 1847, RFC 3156, RFC 8551).
func security(root *part) Security {
	s := Security{Signed: "none", Encrypted: "none"}
	s.look(root)
	return s
}

func (s *Security) look(p *part) {
	protocol := strings.ToLower(p.params.get("protocol"))
	switch p.declared {
	case "multipart/signed":
		s.Signed = "smime"
		if strings.Contains(protocol, "pgp") || protocol == "" && hasKid(p, "application/pgp-signature") {
			s.Signed = "pgp"
		}
	case "multipart/encrypted":
		s.Encrypted = "pgp"
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		switch strings.ToLower(p.params.get("smime-type")) {
		case "signed-data":
			s.Signed = "smime"
		case "certs-only", "compressed-data":
		default:
			s.Encrypted = "smime"
		}
	}
	for _, k := range p.kids {
		s.look(k)
	}
}

func hasKid(p *part, media string) bool {
	for _, k := range p.kids {
		if k.media == media {
			return true
		}
	}
	return false
}
