package smtpd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"mxhook/inbound"
	"mxhook/inbound/status"
)

// What go-smtp v0.25.1 does by itself, and the test that it doesn't happen here:
//
//	a plain error of Data is a permanent 554 with its text   TestNoPlainErrorReachesGoSMTP, dialogues
//	one deadline over the body; then the body runs           TestAfterAStallNothingRuns, TestASteadySlowBodyIsTaken
//	BDAT cut short by FIN or close_notify is accepted        TestABodyCutShortIsNeverDelivered
//	malformed BDAT: 501, and its chunk runs                  dialogues/data "malformed BDAT…"
//	BDAT's Data runs on beside the next transaction          TestTransactionsDoNotOverlap, dialogues/data "RSET between chunks…"
//	CR CR LF . CR LF hangs                                   TestTheTrueEndIsFoundAtEachCut
//	octets after a lone CR and a dot are lost                TestScannerAgreesWithTheSpecification
//	a message of exactly the limit is 552 in DATA            dialogues/data "exactly the limit"
//	unbounded drain after the limit                          dialogues/data "more than one and a half of the limit"
//	lines over 2000 octets are 554                           TestLongLines
//	ReadTimeout 0: commands after QUIT run                   dialogues/commands "nothing after QUIT is answered"
//	no 421 at shutdown, busy clients go on                   TestStop…
//	421 doesn't close                                        dialogues/envelope "a Handler's 421 closes…"
//	closes after three errors with 500, refusals don't count dialogues/commands "more errors than allowed", "unknown recipients…"
//	<postmaster> is 501, quotes are lost, 8 bits pass        dialogues/envelope, TestPathsReachTheHandlerAsWritten
//	a second MAIL keeps the old recipients                   dialogues/envelope "a second MAIL without RSET"
//	STARTTLSx, STARTTLS before EHLO, 550 in clear after it   dialogues/commands, TestAFailedHandshakeCloses
//	502 where 503 or 554 is due, 500 for 555, SIZE > 2^32    dialogues
//	repeated parameters are lost                             dialogues/envelope "parameters of MAIL"
//	a panic in the connection or in Logout ends the process  TestPanicsNeverEndTheProcess
//	peer text in replies                                     TestRepliesHoldNoPeerTextAndNoErrorText
//	CHUNKING can't be switched off, STARTTLS hides the wire  the wire does both

// TestNoPlainErrorReachesGoSMTP calls the session as go-smtp does, with Handlers that
// fail in every way.
func TestNoPlainErrorReachesGoSMTP(t *testing.T) {
	plain := errors.New("secret internal text")
	for _, err := range []error{
		plain, fmt.Errorf("x: %w", plain), os.ErrDeadlineExceeded, context.Canceled, io.EOF, io.ErrUnexpectedEOF,
		&smtp.SMTPError{Code: 554, Message: "not ours"}, errors.Join(plain, io.EOF),
		status.SinkTimeout.Wrap("op", plain), fmt.Errorf("x: %w", status.UnknownRecipient.Wrap("op", plain)), status.Delivered.Wrap("op", nil),
	} {
		s := New(Config{Hostname: "mx.test", Store: inbound.NewStore(t.TempDir(), 1<<20), Handler: failing{err}})
		for _, verb := range []string{"MAIL", "RCPT", "DATA", "BDAT"} {
			client, server := net.Pipe()
			c := newConn(s, server, addrPort(server.RemoteAddr()))
			c.buf = []byte("x\r\n.\r\n")
			c.w, c.small = len(c.buf), make([]byte, maxLine)
			c.cmd = command{verb: verb, size: 2, last: true}
			c.tx = failingTx{err}
			var got error
			switch verb {
			case "MAIL":
				got = session{c}.Mail("", nil)
			case "RCPT":
				got = session{c}.Rcpt("", nil)
			default:
				got = session{c}.Data(nil)
			}
			e, ok := got.(*smtp.SMTPError)
			want := status.ReplyOf(err)
			if want.Class() == status.Success {
				want = status.LocalError.Reply()
			}
			if !ok || e.Code != want.Code || e.EnhancedCode != smtp.EnhancedCode(want.Enhanced) || e.Message != want.Text {
				t.Errorf("%s with %v: %#v, want %v", verb, err, got, want)
			}
			client.Close()
			server.Close()
		}
	}
}

type failing struct{ err error }

func (f failing) Mail(context.Context, inbound.Session, inbound.Mail) (inbound.Transaction, error) {
	return failingTx(f), f.err
}

type failingTx struct{ err error }

func (f failingTx) Rcpt(context.Context, inbound.Path) error { return f.err }
func (f failingTx) Data(context.Context, *inbound.MailData) inbound.Answer {
	return inbound.Answer{Err: f.err}
}
func (failingTx) Close() {}

// A peer that closes within a message has not sent it, whatever it closed with.
func TestABodyCutShortIsNeverDelivered(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, cut := range []string{
			"DATA\r\nSubject: x\r\n", "DATA\r\nx\r\n.", "DATA\r\nx\r\n.\r", "DATA\r\n",
			"BDAT 10 LAST\r\n12345", "BDAT 10 LAST\r\n", "BDAT 3\r\n123", "BDAT 3\r\n123BDAT 3 LAST\r\n45", "BDAT 3\r\n123BDAT 0 LA",
		} {
			r := start(t, nil)
			c := r.dial().hello()
			if secure {
				c.startTLS()
			}
			c.envelope().send(cut)
			if err := c.nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			all, _ := io.ReadAll(c.r)
			for line := range strings.SplitSeq(string(all), "\r\n") {
				if strings.HasPrefix(line, "250") && line != "250 2.0.0 chunk received" {
					t.Errorf("tls %v, %q: said %q", secure, cut, all)
				}
			}
			if n, _ := r.h.count(); n != 0 {
				t.Errorf("tls %v, %q: %d messages were delivered", secure, cut, n)
			}
		}
	}
}

func TestPathsReachTheHandlerAsWritten(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello().want(`MAIL FROM:<"q s@w"@B.Test> SIZE=77 BODY=8BITMIME SMTPUTF8`, "250")
	for _, p := range []string{"PostMaster", `"a>b\"c"@mx.test`, "Kept.Case+Tag@MX.test", "jörg@müller.test", "@x.test:routed@mx.test", "b@mx.test", "b@mx.test"} {
		c.want("RCPT TO:<"+p+">", "250 2.1.5")
	}
	want := []inbound.Path{
		{LocalPart: "PostMaster"}, {LocalPart: `a>b"c`, Domain: "mx.test"}, {LocalPart: "Kept.Case+Tag", Domain: "MX.test"},
		{LocalPart: "jörg", Domain: "müller.test"}, {LocalPart: "routed", Domain: "mx.test"}, {LocalPart: "b", Domain: "mx.test"}, {LocalPart: "b", Domain: "mx.test"},
	}
	if fmt.Sprint(r.h.rcpts) != fmt.Sprint(want) {
		t.Errorf("recipients %q, want %q", r.h.rcpts, want)
	}
	m := r.h.mails[0]
	if m != (inbound.Mail{ReversePath: inbound.Path{LocalPart: "q s@w", Domain: "B.Test"}, Protocol: "UTF8SMTP", SMTPUTF8: true, Body: "8BITMIME", DeclaredSize: 77}) {
		t.Errorf("mail %+v", m)
	}
}

func TestProtocolNames(t *testing.T) {
	r := start(t, nil)
	c := r.dial().want("", "220").want("HELO a.test", "250").want("MAIL FROM:<>", "250")
	c.want("EHLO a.test", "250").want("MAIL FROM:<>", "250").want("RSET", "250").want("MAIL FROM:<> SMTPUTF8", "250").want("RSET", "250")
	c.startTLS().want("MAIL FROM:<>", "250").want("RSET", "250").want("MAIL FROM:<> SMTPUTF8", "250").want("HELO a.test", "250").want("MAIL FROM:<>", "250")
	var got []string
	for _, m := range r.h.mails {
		got = append(got, m.Protocol)
	}
	if want := "SMTP ESMTP UTF8SMTP ESMTPS UTF8SMTPS SMTP"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if s := r.h.sessions[3]; s.TLS == nil || s.TLS.Version != "TLS 1.3" || s.TLS.ServerName != "mx.test" || !strings.HasPrefix(s.TLS.Cipher, "TLS_") {
		t.Errorf("TLS facts %+v", s.TLS)
	}
}

func TestLongLines(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello().envelope().want("DATA", "354")
	body := strings.Repeat("x", 1<<20) + "\r\n"
	c.send(body).want(".", "250 2.0.0")
	if r.h.messages[0] != body {
		t.Error("a long line was changed")
	}
	c.want("NOOP "+strings.Repeat("x", 5000), "500 5.5.2 command line too long").want("NOOP "+strings.Repeat("x", 60000), "500 5.5.2 command line too long")
	c.want("NOOP "+strings.Repeat("x", 4000), "250")
	c.send(strings.Repeat("x", 100000)).want("", "421 4.7.0")
}

func TestWhatWasSentInClearIsForgottenAfterSTARTTLS(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello().envelope()
	c.send("STARTTLS\r\nMAIL FROM:<evil@b.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\nevil\r\n.\r\n").want("", "220 2.0.0")
	tc := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.nc, c.r = tc, bufio.NewReader(tc)
	c.want("MAIL FROM:<a@b.test>", "503 5.5.1").want("RCPT TO:<b@mx.test>", "503 5.5.1").want("EHLO a.test", "250-").want("DATA", "503 5.5.1")
	if n, open := r.h.count(); n != 0 || open != 0 {
		t.Errorf("%d messages, %d transactions", n, open)
	}
}

func TestAFailedHandshakeCloses(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello().want("STARTTLS", "220 2.0.0")
	c.send("MAIL FROM:<a@b.test>\r\nNOOP\r\n")
	all, _ := io.ReadAll(c.r)
	if strings.ContainsAny(string(all), "0123456789") {
		t.Errorf("said %q after a failed handshake", all)
	}
}

func TestNothingOlderThanTLS12(t *testing.T) {
	r := start(t, nil)
	c := r.dial().hello().want("STARTTLS", "220 2.0.0")
	err := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake()
	if err == nil {
		t.Error("TLS 1.1 was spoken")
	}
}

func TestOlderTLSWhereItIsAskedFor(t *testing.T) {
	r := start(t, func(c *Config) { c.TLS.MinVersion = tls.VersionTLS10 })
	c := r.dial().hello().want("STARTTLS", "220 2.0.0")
	nc := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
	if err := nc.Handshake(); err != nil {
		t.Fatal(err)
	}
	newClient(t, nc).want("EHLO client.test", "250-").envelope()
	if s := r.session(); s.TLS == nil || s.TLS.Version != "TLS 1.0" {
		t.Errorf("%+v", s.TLS)
	}
}

func TestImplicitTLS(t *testing.T) {
	r := start(t, func(c *Config) { c.TLSMode = TLSImplicit })
	nc, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc).hello().want("STARTTLS", "503 5.5.1").envelope().want("DATA", "354").want("x\r\n.", "250").want("QUIT", "221")
	if r.h.mails[0].Protocol != "ESMTPS" {
		t.Errorf("mail %+v", r.h.mails[0])
	}
	c.want("", "EOF")
}

func TestTLSNeedsACertificate(t *testing.T) {
	for _, mode := range []TLSMode{TLSStart, TLSRequired, TLSImplicit} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := New(Config{TLSMode: mode}).Serve(ln); err == nil {
			t.Errorf("%s: served without a certificate", mode)
		}
	}
}

func TestRepliesHoldNoPeerTextAndNoErrorText(t *testing.T) {
	r := start(t, nil)
	c := r.dial().want("", "220")
	var said strings.Builder
	for _, line := range []string{
		"EHLO canary.test", "canary", "MAIL FROM:<canary@b.test>", "RCPT TO:<plain@canary.test>", "RCPT TO:<wrapped@canary.test>", "RCPT TO:<canary@mx.test>",
		"RCPT TO:<unknown@canary.test>", "VRFY canary", "EXPN canary", "NOOP canary", "HELP canary", "MAIL FROM:<> CANARY=1", "RCPT TO:<canary\x1b[31m>",
		"DATA", "Fail: wrapped\r\n.", "BDAT canary",
	} {
		said.WriteString(c.send(line+"\r\n").reply() + "\n")
	}
	for _, secret := range []string{"canary", "CANARY", "secret", "dial tcp", "\x1b"} {
		if strings.Contains(said.String(), secret) {
			t.Errorf("a reply holds %q:\n%s", secret, said.String())
		}
	}
	if log := r.log.String(); strings.Contains(log, "\x1b") || strings.Contains(log, `"level":"ERROR"`) == false {
		t.Errorf("the log holds raw peer text, or no error for an error without a condition:\n%s", log)
	}
}

func TestEveryReplyHasAnEnhancedCode(t *testing.T) {
	for _, c := range status.All() {
		r := c.Reply()
		if class := r.Code / 100; class != 3 && r.Enhanced[0] != class {
			t.Errorf("%s: %s", c.Name(), r)
		}
	}
}
