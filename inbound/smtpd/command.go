package smtpd

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// command is a command line that was understood, or, with a fault, one that wasn't.
type command struct {
	verb  string // in capitals; "" when it is none of SMTP
	fault *status.Condition

	helo string       // EHLO, HELO, LHLO: the argument
	path inbound.Path // MAIL, RCPT
	mail inbound.Mail // MAIL: the parameters
	size int64        // BDAT: octets of the chunk
	last bool         // BDAT: LAST

	mechanism string  // AUTH, in capitals
	initial   *string // AUTH: the initial response, nil without one
	withAuth  bool    // MAIL has the parameter AUTH
}

// parse reads a command line without its line end. smtputf8 tells whether the
// transaction allows addresses beyond ASCII in RCPT. It is pure: what depends on the
// state of the session is decided in conn.admit.
func parse(line []byte, smtputf8 bool) command {
	verb, arg := cutVerb(line)
	cmd := command{verb: verb}
	if hasControl(line) {
		arg = "\x00" // no argument of any command: each has its own word for that
	}
	switch cmd.verb {
	case "EHLO", "HELO", "LHLO":
		cmd.helo = arg
		if !isHELO(arg) {
			cmd.fault = status.BadGreeting
		}
	case "MAIL":
		cmd.parseMail(arg)
	case "RCPT":
		cmd.parseRcpt(arg, smtputf8)
	case "BDAT":
		cmd.parseChunk(arg)
	case "DATA", "RSET", "QUIT", "STARTTLS":
		if arg != "" {
			cmd.fault = status.BadArguments
		}
	case "AUTH":
		cmd.parseAuth(arg)
	case "NOOP", "HELP", "VRFY":
		if hasControl(line) {
			cmd.fault = status.BadArguments
		}
	case "EXPN", "ETRN", "TURN", "ATRN", "SEND", "SOML", "SAML":
		cmd.fault = status.NotImplemented
	default:
		cmd.verb, cmd.fault = "", status.UnknownCommand
	}
	return cmd
}

// greets tells whether the command begins a session.
func (cmd command) greets() bool {
	return cmd.verb == "EHLO" || cmd.verb == "HELO" || cmd.verb == "LHLO"
}

// cutVerb splits a line after its verb, which it returns in capitals.
func cutVerb(line []byte) (verb, arg string) {
	s := strings.Trim(string(line), "\r\n")
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		i = len(s)
	}
	return strings.ToUpper(s[:i]), strings.Trim(s[i:], " \t")
}

// malformed returns a line that isn't understood at all. A BDAT ends the connection,
// since the octets of its chunk, which follow, would run as commands.
func malformed(line []byte, fault *status.Condition) command {
	if verb, _ := cutVerb(line); verb == "BDAT" {
		return command{verb: verb, fault: status.MalformedBDAT}
	}
	return command{fault: fault}
}

// hasControl tells whether a line holds what no command may hold: a bare CR, NUL or
// another control character. A tab counts as a blank.
func hasControl(line []byte) bool {
	return bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// isHELO tells whether s can be a domain or an address literal (RFC 5321 4.1.1.1, 4.1.3).
// A domain is not held to the grammar, since real clients aren't, but to its characters
// and to labels that aren't empty; a bare address passes too.
func isHELO(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	if s[0] == '[' {
		return isAddressLiteral(s)
	}
	if strings.Contains(s, ":") {
		return isAddress(s)
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" {
			return false
		}
		for i := range len(label) {
			c := label[i]
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
			if !letter && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// isAddressLiteral tells whether s is "[192.0.2.1]" or "[IPv6:2001:db8::1]", the only
// tags that there are; clients leave out that of IPv6.
func isAddressLiteral(s string) bool {
	s, closed := strings.CutSuffix(s[1:], "]")
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") {
		s = s[5:]
	}
	return closed && isAddress(s)
}

func isAddress(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Zone() == ""
}

func (cmd *command) parseMail(arg string) {
	path, params, ok := cutPath(arg, "FROM:")
	if !ok {
		cmd.fault = status.BadReversePath
		return
	}
	fault := cmd.parseMailParams(params)
	p, err := inbound.ParsePath(path, cmd.mail.SMTPUTF8)
	switch {
	case err == inbound.ErrPathUTF8:
		fault = status.NeedsSMTPUTF8
	case err != nil, !p.IsNull() && p.Domain == "":
		fault = status.BadReversePath
	}
	cmd.path, cmd.mail.ReversePath, cmd.fault = p, p, fault
}

func (cmd *command) parseRcpt(arg string, smtputf8 bool) {
	path, params, ok := cutPath(arg, "TO:")
	if !ok {
		cmd.fault = status.BadForwardPath
		return
	}
	p, err := inbound.ParsePath(path, smtputf8)
	switch {
	case err == inbound.ErrPathUTF8:
		cmd.fault = status.NeedsSMTPUTF8
	case err != nil, p.IsNull():
		cmd.fault = status.BadForwardPath
	case params != "":
		cmd.fault = status.UnknownParameter // no extension of RCPT is offered
	}
	cmd.path = p
}

// cutPath splits "FROM:<path> parameters". A blank after the colon is taken, since
// clients send it; a '>' inside a quoted local part doesn't end the path.
func cutPath(arg, prefix string) (path, params string, ok bool) {
	if len(arg) < len(prefix) || !strings.EqualFold(arg[:len(prefix)], prefix) {
		return "", "", false
	}
	s := strings.TrimLeft(arg[len(prefix):], " \t")
	if s == "" || s[0] != '<' {
		return "", "", false
	}
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			rest := s[i+1:]
			if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
				return "", "", false
			}
			return s[1:i], strings.Trim(rest, " \t"), true
		}
	}
	return "", "", false
}

// parseMailParams reads the parameters from left to right and returns the first
// fault. SIZE is compared with the limit elsewhere.
func (cmd *command) parseMailParams(params string) (fault *status.Condition) {
	seen := map[string]bool{}
	for param := range strings.FieldsSeq(params) {
		key, value, hasValue := strings.Cut(param, "=")
		key = strings.ToUpper(key)
		f := cmd.mailParam(key, value, hasValue)
		if seen[key] && f == nil {
			f = status.BadArguments
		}
		seen[key] = true
		if fault == nil {
			fault = f
		}
	}
	return fault
}

func (cmd *command) mailParam(key, value string, hasValue bool) *status.Condition {
	switch key {
	case "SIZE": // RFC 1870: 1*20DIGIT; what doesn't fit is above every limit
		n, err := strconv.ParseUint(value, 10, 63)
		if value == "" || len(value) > 20 || strings.Trim(value, "0123456789") != "" {
			return status.BadArguments
		}
		if err != nil {
			n = 1<<63 - 1
		}
		cmd.mail.DeclaredSize = int64(n)
	case "BODY":
		cmd.mail.Body = strings.ToUpper(value)
		switch cmd.mail.Body {
		case "7BIT", "8BITMIME", "BINARYMIME":
		default:
			return status.BadArguments
		}
	case "AUTH":
		cmd.withAuth = true
		if !isAuthParam(value) {
			return status.BadArguments
		}
	case "SMTPUTF8":
		cmd.mail.SMTPUTF8 = true
		if hasValue {
			return status.BadArguments
		}
	default:
		return status.UnknownParameter
	}
	return nil
}

// maxChunk is the largest chunk that is understood, even as one that is refused.
const maxChunk = 1 << 32

func (cmd *command) parseChunk(arg string) {
	f := strings.Fields(arg)
	if len(f) == 0 || len(f) > 2 || strings.Trim(f[0], "0123456789") != "" {
		cmd.fault = status.MalformedBDAT
		return
	}
	n, err := strconv.ParseUint(f[0], 10, 63)
	cmd.last = len(f) == 2
	if err != nil || n > maxChunk || cmd.last && !strings.EqualFold(f[1], "LAST") {
		cmd.fault = status.MalformedBDAT
		return
	}
	cmd.size = int64(n)
}
