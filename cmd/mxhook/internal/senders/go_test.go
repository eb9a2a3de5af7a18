package senders

import (
	"crypto/tls"
	"errors"
	"net/smtp"
	"net/textproto"
	"testing"
)

// net/smtp of Go, which asks for SMTPUTF8 and 8BITMIME whenever they are offered.
func TestGoDeliversWhatWasDeferredTwice(t *testing.T) {
	for name, secure := range map[string]bool{"clear": false, "STARTTLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startApp(t, 2)
			w := startWire(t, startBridge(t, a, secure, ""))
			for _, m := range mails {
				for try := range 3 {
					var reply *textproto.Error
					err := sendGo(w.address, secure, m)
					if try < 2 && (!errors.As(err, &reply) || reply.Code != 451) || try == 2 && err != nil {
						t.Fatalf("%s, try %d: %v", m.name, try, err)
					}
				}
			}
			var wired []string
			if !secure {
				wired = w.messages()
			}
			for _, m := range mails {
				check(t, m, a.copies(m.name), wired, secure)
			}
		})
	}
}

func sendGo(address string, secure bool, m mail) error {
	c, err := smtp.Dial(address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Hello("mail.sender.example"); err != nil {
		return err
	}
	if secure {
		if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
			return err
		}
	}
	if err := errors.Join(c.Mail(m.from), c.Rcpt(m.to)); err != nil {
		return err
	}
	body, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write([]byte(m.text)); err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return err
	}
	return c.Quit()
}
