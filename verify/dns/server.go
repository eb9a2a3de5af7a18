package dns

import (
	"context"
	"errors"
	"fmt"
	"net"

	mdns "github.com/miekg/dns"
)

// Server answers for a Zone over UDP and TCP on a port of the loopback interface that
// the system chooses: for tests and demonstrations that want a real name server. A name
// with Timeout is not answered at all. Clients that ask for it get the AD bit for what
// Zone.Authenticate names.
type Server struct {
	handler  mdns.Handler
	zone     *Zone
	udp, tcp *mdns.Server
	addr     string
	ended    chan error
}

// NewServer makes a server for a zone.
func NewServer(zone *Zone) *Server {
	s := &Server{zone: zone}
	s.handler = mdns.HandlerFunc(s.answer)
	return s
}

// Start begins to answer. Stop must be called after it.
func (s *Server) Start() error {
	var packets net.PacketConn
	var listener net.Listener
	var err error
	// The port that is free for one protocol may be taken for the other.
	for range 20 {
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			continue
		}
		if packets, err = net.ListenPacket("udp", listener.Addr().String()); err == nil {
			break
		}
		listener.Close()
	}
	if err != nil {
		return fmt.Errorf("dns: server: %w", err)
	}
	s.addr = listener.Addr().String()
	s.ended = make(chan error, 2)
	ready := make(chan struct{}, 2)
	s.udp = &mdns.Server{PacketConn: packets, Handler: s.handler, NotifyStartedFunc: func() { ready <- struct{}{} }}
	s.tcp = &mdns.Server{Listener: listener, Handler: s.handler, NotifyStartedFunc: func() { ready <- struct{}{} }}
	for _, server := range []*mdns.Server{s.udp, s.tcp} {
		go func() { s.ended <- server.ActivateAndServe() }()
	}
	<-ready
	<-ready
	return nil
}

// Addr is host:port, for Config.Servers.
func (s *Server) Addr() string { return s.addr }

// Stop ends the server and waits for what it is doing.
func (s *Server) Stop(ctx context.Context) error {
	err := errors.Join(s.udp.ShutdownContext(ctx), s.tcp.ShutdownContext(ctx))
	return errors.Join(err, <-s.ended, <-s.ended)
}

func (s *Server) answer(w mdns.ResponseWriter, query *mdns.Msg) {
	m := new(mdns.Msg)
	m.SetReply(query)
	m.RecursionAvailable = true
	size := mdns.MinMsgSize
	if opt := query.IsEdns0(); opt != nil {
		size = max(size, int(opt.UDPSize()))
		m.SetEdns0(udpSize, false)
	}
	if len(query.Question) != 1 {
		m.Rcode = mdns.RcodeFormatError
	} else if !s.fill(m, query.Question[0], asksForAD(query)) {
		return
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		m.Truncate(size)
	}
	// A peer that has gone needs no answer.
	_ = w.WriteMsg(m)
}

// asksForAD reports whether a client wants to know what DNSSEC says (RFC 6840 5.7).
func asksForAD(query *mdns.Msg) bool {
	opt := query.IsEdns0()
	return query.AuthenticatedData || opt != nil && opt.Do()
}

// fill answers a question, or is false if there is to be no answer.
func (s *Server) fill(m *mdns.Msg, q mdns.Question, vouch bool) bool {
	name, ok := owner(q.Name)
	if !ok {
		m.Rcode = mdns.RcodeNameError
		return true
	}
	f := s.zone.find(name, q.Qtype)
	switch {
	case f.trouble == timeout:
		return false
	case f.trouble == servFail:
		m.Rcode = mdns.RcodeServerFailure
		return true
	case !f.exists:
		m.Rcode = mdns.RcodeNameError
	}
	m.Answer = f.rrs
	m.AuthenticatedData = f.signed && vouch
	s.zone.deny(m, question{name, q.Qtype})
	return true
}
