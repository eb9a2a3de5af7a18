package smtpd

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"mxhook/inbound/status"
)

// AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN, never in clear: both send the
// password as it is. go-smtp is not told of it.

// maxCredential is how many octets a name or a password has at most (RFC 4616 2).
const maxCredential = 255

// offersAUTH tells whether AUTH can be used now.
func (c *conn) offersAUTH() bool { return c.srv.cfg.Authenticate != nil && c.session.TLS != nil }

// parseAuth reads "MECHANISM [initial-response]", in which "=" is an empty response.
func (cmd *command) parseAuth(arg string) {
	f := strings.Fields(arg)
	if len(f) == 0 || len(f) > 2 || arg == "\x00" {
		cmd.fault = status.BadArguments
		return
	}
	cmd.mechanism = strings.ToUpper(f[0])
	if len(f) == 2 {
		cmd.initial = &f[1]
		if f[1] == "=" {
			cmd.initial = new(string)
		}
	}
}

// isAuthParam tells whether v may follow AUTH= in MAIL (RFC 4954 5): <>, or an address
// as xtext. What it says is not believed and not kept.
func isAuthParam(v string) bool {
	if v == "<>" {
		return true
	}
	if v == "" || len(v) > 500 {
		return false
	}
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c < '!' || c > '~' || c == '=':
			return false
		case c == '+' && (len(v) < i+3 || strings.Trim(v[i+1:i+3], "0123456789ABCDEF") != ""):
			return false
		}
	}
	return true
}

// outOfAuthSequence tells why AUTH can't be used now.
func (c *conn) outOfAuthSequence() *status.Condition {
	switch {
	case !c.ehlo || c.tx != nil || c.session.User != "":
		return status.BadSequence
	case c.session.TLS == nil:
		return status.AuthNeedsTLS
	}
	return nil
}

// authenticate makes the exchange and says how it ended. The error is one of reading;
// the connection ends then.
func (c *conn) authenticate(cmd command) error {
	user, password, refused, err := c.credentials(cmd)
	if err != nil {
		return err
	}
	if refused == nil {
		refused = c.askForUser(user, password)
	}
	if refused != nil {
		c.log.Info("not authenticated", "condition", refused.Name())
		c.refuse("AUTH", refused)
		return nil
	}
	c.session.User = user
	c.log.Info("authenticated", "user", user)
	c.utter(answer{status.Authenticated.Reply(), status.Authenticated})
	return nil
}

// askForUser returns nil when the password is the user's. Only AuthFailed says that it
// is not; any other error is ours.
func (c *conn) askForUser(user, password string) *status.Condition {
	if user == "" || len(user) > maxCredential || len(password) > maxCredential || !utf8.ValidString(user) {
		return status.AuthFailed
	}
	err := c.srv.cfg.Authenticate(c.srv.ctx, user, password)
	switch {
	case err == nil:
		return nil
	case status.ConditionOf(err) == status.AuthFailed:
		return status.AuthFailed
	}
	c.log.Error("users can't be asked", "error", err)
	return status.AuthUnavailable
}

func (c *conn) credentials(cmd command) (user, password string, refused *status.Condition, err error) {
	if cmd.mechanism == "PLAIN" {
		message, refused, err := c.response("", cmd.initial)
		if refused != nil || err != nil {
			return "", "", refused, err
		}
		part := strings.Split(message, "\x00")
		switch {
		case len(part) != 3:
			return "", "", status.BadAuthResponse, nil
		case part[0] != "" && part[0] != part[1]: // nobody may act for another
			return "", "", status.AuthFailed, nil
		}
		return part[1], part[2], nil, nil
	}
	if user, refused, err = c.response("Username:", cmd.initial); refused == nil && err == nil {
		password, refused, err = c.response("Password:", nil)
	}
	return user, password, refused, err
}

// response returns what the client answers to a challenge, or what it said already.
func (c *conn) response(challenge string, said *string) (text string, refused *status.Condition, err error) {
	if said == nil {
		c.say([]byte("334 " + base64.StdEncoding.EncodeToString([]byte(challenge)) + "\r\n"))
		line, err := c.line()
		switch {
		case err == errLineTooLong:
			return "", status.AuthLineTooLong, nil
		case err == errBareNewline:
			return "", status.BareNewline, nil
		case err != nil:
			return "", nil, err
		}
		text = string(line)
		said = &text
	}
	if *said == "*" {
		return "", status.AuthCancelled, nil
	}
	octets, err := base64.StdEncoding.DecodeString(*said)
	if err != nil || strings.ContainsAny(*said, "\r\n") { // which the decoder would pass over
		return "", status.BadAuthResponse, nil
	}
	return string(octets), nil, nil
}
