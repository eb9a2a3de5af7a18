package smtpd

import (
	"crypto/tls"
	"net"
	"time"

	"mxhook/inbound/status"
)

const (
	// maxTurning is how many connections that expect TLS are told why they are turned
	// away at once: a handshake costs more than the refusal saves.
	maxTurning  = 16
	turningTime = 2 * time.Second
)

// turnAway says one line to a fresh connection, whose send buffer is empty, and closes
// it. A peer that expects TLS hears it after a handshake, when there is room for one.
func (s *Server) turnAway(nc net.Conn, why *status.Condition) {
	if s.cfg.TLSMode != TLSImplicit {
		nc.SetWriteDeadline(time.Now().Add(time.Second))
		nc.Write(appendReply(nil, why.Reply()))
		nc.Close()
		return
	}
	select {
	case s.turning <- struct{}{}:
	default:
		nc.Close()
		return
	}
	s.running.Go(func() { // Serve, which calls this, is counted in running too
		defer nc.Close()
		defer func() { <-s.turning }() // first, so that who saw the end finds room
		nc.SetDeadline(time.Now().Add(turningTime))
		t := tls.Server(nc, s.tls)
		if t.Handshake() == nil {
			t.Write(appendReply(nil, why.Reply()))
			t.CloseWrite()
		}
	})
}
