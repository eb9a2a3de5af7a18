package message

// classify fills Bounce, FeedbackReport, Automatic and Class: from header facts and
// the part tree, and for notifications that are written for people alone from who
// wrote them and their text.
func (p *parser) classify(root *part) {
	m := p.msg
	m.Automatic = p.automatic(root)
	auto := m.Automatic.Reason != ""
	reply := auto && m.Automatic.AutoSubmitted != "auto-generated"
	if m.FeedbackReport = p.feedbackReport(root); m.FeedbackReport == nil {
		m.Bounce = p.bounce(root)
	}
	switch {
	case m.FeedbackReport != nil:
		m.Class = ClassFeedbackReport
	case m.Bounce != nil:
		m.Class = ClassBounce
	case reply:
		m.Class = ClassAutoReply
	case hasInvitation(root) || m.scheduling():
		m.Class = ClassCalendar
	case m.List.ID != "":
		m.Class = ClassList
	case auto:
		m.Class = ClassAutoReply
	default:
		m.Class = ClassNormal
	}
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

// scheduling tells whether a calendar asks or answers (RFC 5546), which a calendar
// that is only published does not.
func (m *Message) scheduling() bool {
	for _, c := range m.Calendar {
		if c.Method != "" && c.Method != "PUBLISH" {
			return true
		}
	}
	return false
}
