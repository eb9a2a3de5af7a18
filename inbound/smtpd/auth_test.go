package smtpd

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestTheUserIsInTheSessionAndThePasswordNowhere checks names and that no password is logged.
func TestTheUserIsInTheSessionAndThePasswordNowhere(t *testing.T) {
	r := start(t, func(c *Config) { c.Authenticate, c.AuthRequired = authenticate, true })
	plain := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	c := r.dial().hello().startTLS()
	c.want("AUTH PLAIN "+plain("\x00ann\x00canary-1"), "535 ").want("AUTH LOGIN", "334 ").want(plain("ann"), "334 ").want("*", "501 ").want("canary-2", "500 ")
	c.want("AUTH LOGIN "+plain("ann"), "334 ").want(plain("secret"), "235 ")
	c.envelope().want("DATA", "354 ").want("x\r\n.", "250 ").want("MAIL FROM:<> SMTPUTF8", "250 ").want("QUIT", "221 ").want("", "EOF")
	for i, want := range []string{"ESMTPSA", "UTF8SMTPSA"} {
		if r.h.mails[i].Protocol != want || r.h.sessions[i].User != "ann" {
			t.Errorf("%s with user %q, want %s", r.h.mails[i].Protocol, r.h.sessions[i].User, want)
		}
	}
	for _, secret := range []string{"canary", plain("canary")[:6], plain("secret"), "secret"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("%q is logged", secret)
		}
	}
	for _, row := range []string{"auth_failed", "auth_cancelled", "authenticated"} {
		if r.obs.replied[row] != 1 {
			t.Errorf("%s was counted %d times", row, r.obs.replied[row])
		}
	}
}
