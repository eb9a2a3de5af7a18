package smtpd

import (
	"crypto/tls"
	"time"

	"mxhook/inbound"
)

// handshake puts TLS over the socket and forgets the session before it: what was read
// in clear (RFC 3207 4.2; it may be an attacker's), the greeting, the transaction. It
// tells whether it succeeded; if not, nothing can be said and the connection ends.
func (c *conn) handshake() bool {
	c.r, c.w, c.pushed = 0, 0, nil
	c.session.HELO, c.session.User, c.ehlo = "", "", false
	deadline := time.Now().Add(min(handshakeTime, c.srv.cfg.Limits.CommandTime))
	if !c.deadlineUnlessStopping(deadline) {
		return false
	}
	c.raw.SetWriteDeadline(deadline)
	t := tls.Server(c.raw, c.srv.tls)
	if err := t.Handshake(); err != nil {
		c.log.Info("TLS handshake failed", "error", err)
		c.linger = true // or the alert that says why is lost
		return false
	}
	state := t.ConnectionState()
	c.nc = t
	c.session.TLS = &inbound.TLS{
		Version:    tls.VersionName(state.Version),
		Cipher:     tls.CipherSuiteName(state.CipherSuite),
		ServerName: state.ServerName,
	}
	return true
}

// protocol returns the name of RFC 3848 and RFC 6531 4.3 for a transaction.
func (c *conn) protocol(smtputf8 bool) string {
	name := "ESMTP"
	switch {
	case c.srv.cfg.LMTP && smtputf8:
		name = "UTF8LMTP"
	case c.srv.cfg.LMTP:
		name = "LMTP"
	case smtputf8:
		name = "UTF8SMTP"
	case !c.ehlo:
		return "SMTP" // has no variants
	}
	if c.session.TLS != nil {
		name += "S"
	}
	if c.session.User != "" {
		name += "A"
	}
	return name
}
