package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	mdns "github.com/miekg/dns"
)

const (
	// udpSize is the answer that fits in a packet everywhere (DNS Flag Day 2020).
	udpSize = 1232
	// udpRead is what is read of a packet, for servers that don't heed that.
	udpRead = 4096
)

var errMalformed = errors.New("malformed")

// exchange asks one server one question: over UDP, and over TCP if the answer is cut
// off. Its errors say nothing of the question.
func (r *Caching) exchange(ctx context.Context, s *upstream, q question) (*mdns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	m, err := r.overUDP(ctx, s, q)
	if err == nil && m.Truncated {
		if m, err = r.overTCP(ctx, s, q); err != nil {
			return nil, fmt.Errorf("over TCP: %w", err)
		}
	}
	return m, err
}

// newQuery makes a question as it goes out. AD in it asks whether the server has
// validated the answer, and DNSSEC's own records are not wanted (RFC 6840 5.7).
func newQuery(q question, edns bool) *mdns.Msg {
	m := new(mdns.Msg)
	m.SetQuestion(mdns.Fqdn(q.name), q.qtype)
	if edns { // who doesn't know that may not know this bit either
		m.AuthenticatedData = true
		m.SetEdns0(udpSize, false)
	}
	return m
}

// conversation is one question over UDP, from a port of its own that nobody can know.
type conversation struct {
	conn net.Conn
	sent []*mdns.Msg // first with EDNS, then without
}

// overUDP asks with EDNS, and without it if the server refuses it, or says nothing in
// half the time: some drop what they don't know. Whichever is answered first counts,
// so that a server that is slow loses nothing.
func (r *Caching) overUDP(ctx context.Context, s *upstream, q question) (*mdns.Msg, error) {
	conn, end, err := dial(ctx, "udp", s.addr)
	if err != nil {
		return nil, err
	}
	defer end()
	c := conversation{conn: conn}
	plain := s.plain.Load() > r.now().UnixNano()
	half := time.Now().Add(r.timeout / 2)
	if err := c.send(ctx, newQuery(q, !plain), half); err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	buffer := make([]byte, udpRead)
	for {
		n, err := conn.Read(buffer)
		second := false
		switch {
		case err == nil:
			m, query := c.match(buffer[:n])
			if query == nil {
				continue
			}
			if m == nil {
				return nil, errMalformed
			}
			if query.IsEdns0() == nil {
				if !plain {
					s.plain.Store(r.now().Add(plainTime).UnixNano())
				}
				return m, nil
			}
			if !refusesEDNS(m) {
				return m, nil
			}
			second = true
		case errors.Is(err, os.ErrDeadlineExceeded):
			second = true
		}
		if !second || ctx.Err() != nil {
			return nil, err
		}
		if len(c.sent) == 2 {
			if err != nil {
				return nil, err
			}
			continue // the refusal comes late
		}
		if err := c.send(ctx, newQuery(q, false), deadline); err != nil {
			return nil, err
		}
	}
}

// send asks, and sets until when an answer is waited for.
func (c *conversation) send(ctx context.Context, m *mdns.Msg, until time.Time) error {
	packet, err := m.Pack()
	if err != nil {
		return err
	}
	if err := c.conn.SetReadDeadline(until); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // whoever gave up has set another deadline
		return err
	}
	c.sent = append(c.sent, m)
	_, err = c.conn.Write(packet)
	return err
}

// match finds the query that a packet answers; nil for what is no answer to any, and
// may be forged. The message is nil if it can't be read.
func (c *conversation) match(packet []byte) (m, query *mdns.Msg) {
	if len(packet) < 12 {
		return nil, nil
	}
	id := uint16(packet[0])<<8 | uint16(packet[1])
	for _, q := range c.sent {
		if q.Id == id {
			query = q
		}
	}
	if query == nil {
		return nil, nil
	}
	m, whole := unpack(packet)
	switch {
	case !answers(m, query) && !(len(m.Question) == 0 && m.Response && refusesEDNS(m)):
		return nil, nil
	case !whole && !m.Truncated:
		return nil, query
	}
	return m, query
}

// unpack reads a message as far as it can be read. It is whole if it holds as many
// records as it says.
func unpack(packet []byte) (m *mdns.Msg, whole bool) {
	m = new(mdns.Msg)
	if err := m.Unpack(packet); err != nil {
		return m, false
	}
	for i, n := range []int{len(m.Question), len(m.Answer), len(m.Ns), len(m.Extra)} {
		if n != int(packet[4+2*i])<<8|int(packet[5+2*i]) {
			return m, false
		}
	}
	return m, true
}

// refusesEDNS reports whether a server doesn't know EDNS, or not ours (RFC 6891 7).
// Some send such an answer without the question.
func refusesEDNS(m *mdns.Msg) bool {
	return m.Rcode == mdns.RcodeFormatError || m.Rcode == mdns.RcodeNotImplemented || m.Rcode == mdns.RcodeBadVers
}

// overTCP asks for an answer that is too long for a packet.
func (r *Caching) overTCP(ctx context.Context, s *upstream, q question) (*mdns.Msg, error) {
	raw, end, err := dial(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	defer end()
	conn := &mdns.Conn{Conn: raw}
	query := newQuery(q, s.plain.Load() <= r.now().UnixNano())
	if err := conn.WriteMsg(query); err != nil {
		return nil, err
	}
	packet, err := conn.ReadMsgHeader(nil)
	if err != nil {
		return nil, err
	}
	if m, whole := unpack(packet); whole && !m.Truncated && answers(m, query) {
		return m, nil
	}
	return nil, errMalformed
}

// dial opens a connection that the context's end interrupts.
func dial(ctx context.Context, network, addr string) (conn net.Conn, end func(), err error) {
	var dialer net.Dialer
	if conn, err = dialer.DialContext(ctx, network, addr); err != nil {
		return nil, nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return nil, nil, err
	}
	// A caller that gives up must not wait for the server.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { stop(); conn.Close() }, nil
}

// answers reports whether m is an answer to the query: the same id and question.
func answers(m, query *mdns.Msg) bool {
	return m.Response && m.Id == query.Id && m.Opcode == mdns.OpcodeQuery && len(m.Question) == 1 &&
		m.Question[0].Qtype == query.Question[0].Qtype && m.Question[0].Qclass == query.Question[0].Qclass &&
		strings.EqualFold(unescape(m.Question[0].Name), query.Question[0].Name)
}

// because says in an operator's words why there was no answer.
func (r *Caching) because(s *upstream, err error, took time.Duration) *failure {
	over := ""
	if strings.HasPrefix(err.Error(), "over TCP") {
		over = " over TCP, which a long answer needs"
	}
	var netErr net.Error
	switch {
	case errors.Is(err, errMalformed):
		return &failure{text: "a malformed answer by " + s.addr + over}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{text: "nobody listens at " + s.addr + over, silent: true}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return &failure{text: fmt.Sprintf("no answer in %v from %s%s", r.round(took), s.addr, over), silent: true}
	}
	return &failure{text: s.addr + " can't be reached" + over, silent: true}
}

// round leaves of a duration what a person wants to know.
func (r *Caching) round(d time.Duration) time.Duration {
	switch {
	case d > r.timeout-r.timeout/10:
		return r.timeout
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
