package message

import "testing"

func TestClass(t *testing.T) {
	for _, c := range []struct {
		rule, header string
		class        Class
		reason       string
	}{
		{"nothing special", "", ClassNormal, ""},
		{"Auto-Submitted: no", "Auto-Submitted: no\r\n", ClassNormal, ""},
		{"auto-replied", "Auto-Submitted: Auto-Replied (vacation); x=y\r\n", ClassAutoReply, "Auto-Submitted: auto-replied"},
		{"auto-generated", "Auto-Submitted: auto-generated\r\n", ClassAutoReply, "Auto-Submitted: auto-generated"},
		{"auto-generated on a list", "Auto-Submitted: auto-generated\r\nList-Id: <l.example>\r\n", ClassList, "Auto-Submitted: auto-generated"},
		{"auto-replied on a list", "Auto-Submitted: auto-replied\r\nList-Id: <l.example>\r\n", ClassAutoReply, "Auto-Submitted: auto-replied"},
		{"Precedence auto_reply", "Precedence: AUTO_REPLY\r\n", ClassAutoReply, "Precedence: auto_reply"},
		{"Precedence bulk is no answer", "Precedence: bulk\r\n", ClassNormal, ""},
		{"X-Autoreply", "X-Autoreply: yes\r\n", ClassAutoReply, "X-Autoreply"},
		{"X-Autoreply no", "X-Autoreply: no\r\n", ClassNormal, ""},
		{"an Apple vacation", "X-Apple-Action: VACATION\r\n", ClassAutoReply, "X-Apple-Action: vacation"},
		{"a rule of a mailbox answered", "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent\r\n", ClassAutoReply, "X-MS-Exchange-Generated-Message-Source: mailbox rules agent"},
		{"an absence notice by its subject", "Subject: Automatic reply: Ticket\r\n", ClassAutoReply, "Subject: automatic reply"},
		{"an absence notice with a wide colon", "Subject: =?utf-8?b?6Ieq5YuV6L+U5L+h77ya56Wo?=\r\n", ClassAutoReply, "Subject: 自動返信"},
		{"a person's answer to an absence notice", "Subject: Re: Automatic reply: Ticket\r\n", ClassNormal, ""},
		{"a subject that only begins like one", "Subject: Automatic reply is broken: help\r\n", ClassNormal, ""},
		{"X-Auto-Response-Suppress asks, it does not answer", "X-Auto-Response-Suppress: All\r\n", ClassNormal, ""},
		{"a list", "List-Id: Talk <l.example>\r\n", ClassList, ""},
		{"an invitation", "Content-Type: text/calendar; method=REQUEST\r\n", ClassCalendar, ""},
		{"a calendar file", "Content-Type: text/calendar\r\n", ClassNormal, ""},
		{"a person writes about bounces", "Subject: Mail delivery failed\r\n", ClassNormal, ""},
		{"a postmaster is a person", "From: postmaster@c.example\r\nSubject: returned mail\r\n", ClassNormal, ""},
		{"a bounce, although auto-replied", "Auto-Submitted: auto-replied\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n", ClassBounce, "Auto-Submitted: auto-replied"},
		{"a feedback report", "Content-Type: multipart/report; report-type=\"Feedback-Report\"; boundary=b\r\n", ClassFeedbackReport, ""},
		{"a read receipt", "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n", ClassAutoReply, "report-type=disposition-notification"},
	} {
		m := parse(t, "From: a@b.example\r\n"+c.header+"\r\nx\r\n")
		if m.Class != c.class || m.Automatic.Reason != c.reason {
			t.Errorf("%s: %s %q, want %s %q", c.rule, m.Class, m.Automatic.Reason, c.class, c.reason)
		}
	}
	m := parse(t, "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nx\r\n--b--\r\n")
	if m.Class != ClassBounce {
		t.Errorf("a report without report-type is %s", m.Class)
	}
}

func TestListFacts(t *testing.T) {
	for _, c := range []struct {
		rule, header, id string
		unsubscribe      int
		oneClick         bool
	}{
		{"the id in brackets", "List-Id: All <of> it <l.example>\r\n", "l.example", 0, false},
		{"the id without brackets", "List-ID: l.example\r\n", "l.example", 0, false},
		{"addresses in order", "List-Unsubscribe: <mailto:a@b>, <https://b.example/x?y,z>\r\n", "", 2, false},
		{"one click", "List-Unsubscribe: <https://b.example/>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", 1, true},
		{"one click needs https", "List-Unsubscribe: <mailto:a@b>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", 1, false},
		{"an open bracket", "List-Unsubscribe: <https://b.example/\r\n", "", 0, false},
	} {
		l := parse(t, "From: a@b.example\r\n"+c.header+"\r\n").List
		if l.ID != c.id || len(l.Unsubscribe) != c.unsubscribe || l.OneClick != c.oneClick {
			t.Errorf("%s: %+v", c.rule, l)
		}
	}
}

func TestSecurity(t *testing.T) {
	for header, want := range map[string]Security{
		"text/plain": {"none", "none"},
		"multipart/signed; protocol=\"application/pgp-signature\"; boundary=b":     {"pgp", "none"},
		"multipart/signed; protocol=\"application/x-own\"; boundary=b":             {"none", "none"},
		"multipart/signed; protocol=\"application/x-pkcs7-signature\"; boundary=b": {"smime", "none"},
		"multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b":  {"none", "pgp"},
		"application/pkcs7-mime; smime-type=signed-data":                           {"smime", "none"},
		"application/x-pkcs7-mime; smime-type=Enveloped-Data":                      {"none", "smime"},
		"application/pkcs7-mime; smime-type=certs-only":                            {"none", "none"},
		"application/pkcs7-mime; name=smime.p7m":                                   {"none", "smime"},
	} {
		if got := parse(t, "Content-Type: "+header+"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n").Security; got != want {
			t.Errorf("%s: %+v", header, got)
		}
	}
}

// panickingReader is a fault of ours, as far as Parse can tell.
type panickingReader struct{}

func (panickingReader) ReadAt([]byte, int64) (int, error) { panic("a bug") }

func TestAPanicIsADefect(t *testing.T) {
	m := Parse(panickingReader{}, 100, Options{})
	if !hasDefect(m, DefectInternal) || m.Class != ClassNormal || m.Security.Signed != "none" {
		t.Errorf("%+v", m)
	}
}

func TestPGPWithinTheText(t *testing.T) {
	for body, want := range map[string]Security{
		"-----BEGIN PGP MESSAGE-----\r\n":               {"none", "pgp"},
		"Hi\r\n-----BEGIN PGP SIGNED MESSAGE----- \r\n": {"pgp", "none"},
		"> -----BEGIN PGP MESSAGE-----\r\n":             {"none", "none"},
		"-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n":      {"none", "none"},
		"-----BEGIN PGP ":                               {"none", "none"},
	} {
		if got := parse(t, "From: a@b.example\r\n\r\n"+body).Security; got != want {
			t.Errorf("%q: %+v", body, got)
		}
	}
}
