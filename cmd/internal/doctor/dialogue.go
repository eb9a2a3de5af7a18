package doctor

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"mxhook/cmd/internal/config"
)

const (
	dialogueTime = 10 * time.Second // all of it
	maxReply     = 100              // lines
	maxLine      = 2000             // octets
)

// foreign is a recipient that no configuration serves (RFC 6761 6.4).
const foreign = "doctor@relay-test.invalid"

// dialogue is an SMTP conversation of ours (RFC 5321).
type dialogue struct {
	conn net.Conn
	in   *bufio.Reader
}

func newDialogue(conn net.Conn) *dialogue {
	conn.SetDeadline(time.Now().Add(dialogueTime))
	return &dialogue{conn, bufio.NewReaderSize(conn, maxLine)}
}

// reply is one, with its lines' texts.
type reply struct {
	code  int
	text  string // of the first line
	lines []string
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.code, r.text) }

// offers tells whether a line of an answer to EHLO begins with a keyword.
func (r reply) offers(keyword string) bool {
	return slices.ContainsFunc(r.lines, func(l string) bool {
		word, _, _ := strings.Cut(l, " ")
		return strings.EqualFold(word, keyword)
	})
}

var errNoReply = errors.New("it says something that is no SMTP reply")

func (c *dialogue) reply() (r reply, err error) {
	for range maxReply {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = errNoReply
			}
			return r, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if len(text) < 3 || len(text) > 3 && text[3] != ' ' && text[3] != '-' {
			return r, errNoReply
		}
		if r.code, err = strconv.Atoi(text[:3]); err != nil || r.code < 200 || r.code > 599 {
			return r, errNoReply
		}
		r.lines = append(r.lines, text[min(4, len(text)):])
		if len(text) == 3 || text[3] == ' ' {
			r.text = r.lines[0]
			return r, nil
		}
	}
	return r, errNoReply
}

func (c *dialogue) command(line string) (reply, error) {
	if _, err := c.conn.Write([]byte(line + "\r\n")); err != nil {
		return reply{}, err
	}
	return c.reply()
}

func (c *dialogue) hello(lmtp bool) (reply, error) {
	verb := "EHLO"
	if lmtp {
		verb = "LHLO"
	}
	r, err := c.command(verb + " [127.0.0.1]") // a literal: no name is looked up
	if err == nil && r.code != 250 {
		err = fmt.Errorf("%s is answered with %s", verb, quoted(r.String()))
	}
	return r, err
}

// startTLS goes on over TLS.
func (c *dialogue) startTLS(conf *tls.Config) (tls.ConnectionState, error) {
	conn := tls.Client(c.conn, conf)
	if err := conn.Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	c.conn, c.in = conn, bufio.NewReaderSize(conn, maxLine)
	return conn.ConnectionState(), nil
}

// relay asks for a recipient that nobody here serves, and for postmaster, whom every
// served domain has. No message begins.
func (d *doctor) relay(f *findings, l config.Listener, c *dialogue) {
	const why = "an open relay is found within hours, and sends spam in your name"
	mail, err := c.command("MAIL FROM:<>")
	switch {
	case err != nil:
		f.silent("relay", err, why)
		return
	case l.Kind == "submission" && mail.code == 530:
		f.ok("relay", "who has not logged in is refused")
		return
	case mail.code/100 != 2:
		f.add(Error, "accepting", "MAIL is refused: "+quoted(mail.String()), "no mail is taken now", "the reply says why: 452 4.3.1 is the disk, the ledger or the spool; 421 and 450 are the limits")
		return
	}
	rcpt, err := c.command("RCPT TO:<" + foreign + ">")
	switch {
	case err != nil:
		f.silent("relay", err, why)
		return
	case rcpt.code/100 == 2:
		f.add(Error, "relay", "a recipient of a foreign domain is taken: "+foreign, why, "mxhook serve runs with another configuration (without --config it takes every recipient): restart it with this one")
		return
	case rcpt.code/100 == 4:
		f.add(Unknown, "relay", "a recipient of a foreign domain is put off: "+quoted(rcpt.String()), why, "run doctor again when the server is well")
		return
	}
	f.ok("relay", "a recipient of a foreign domain is refused: %s", quoted(rcpt.String()))
	if l.Kind == "submission" || len(d.domains) == 0 {
		return
	}
	postmaster := "postmaster@" + d.domains[0]
	rcpt, err = c.command("RCPT TO:<" + postmaster + ">")
	switch {
	case err != nil:
		f.silent("accepting", err, "whether mail is taken is not known")
	case rcpt.code/100 != 2:
		f.add(Error, "accepting", fmt.Sprintf("%s is refused: %s", postmaster, quoted(rcpt.String())), "postmaster of a served domain is always taken (RFC 5321 4.5.1)",
			"mxhook serve runs with another configuration, or a circuit is open: reload it (SIGHUP) and look at its log")
	default:
		f.ok("accepting", "%s is taken", postmaster)
	}
}
