package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	mdns "github.com/miekg/dns"
)

// udpSize is the answer that fits in a packet everywhere (DNS Flag Day 2020).
const udpSize = 1232

// exchange asks one server one question: over UDP, then over TCP if the answer is cut
// off, and without EDNS if the server doesn't know it. Its errors are temporary, since
// another server or a later time may know more.
func (r *Caching) exchange(ctx context.Context, server string, q question) (*mdns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	query := new(mdns.Msg)
	query.SetQuestion(mdns.Fqdn(q.name), q.qtype)
	query.SetEdns0(udpSize, false)
	m, err := r.send(ctx, "udp", server, query)
	if err == nil && m.IsEdns0() == nil && (m.Rcode == mdns.RcodeFormatError || m.Rcode == mdns.RcodeNotImplemented) {
		query.Extra = nil
		query.Id = mdns.Id()
		m, err = r.send(ctx, "udp", server, query)
	}
	if err == nil && m.Truncated {
		query.Id = mdns.Id()
		m, err = r.send(ctx, "tcp", server, query)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, timedOut(q.name)
	case err != nil:
		return nil, temporary(q.name, "the name server can't be reached")
	case m.Rcode == mdns.RcodeSuccess, m.Rcode == mdns.RcodeNameError:
		return m, nil
	}
	return nil, temporary(q.name, fmt.Sprintf("the name server says %s", mdns.RcodeToString[m.Rcode]))
}

// send does one exchange over a connection of its own, hence from a port that nobody
// can know. What is no answer to this question is passed over: it may be forged.
func (r *Caching) send(ctx context.Context, network, server string, query *mdns.Msg) (*mdns.Msg, error) {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	conn := &mdns.Conn{Conn: raw, UDPSize: udpSize}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	// A caller that gives up must not wait for the server.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := conn.WriteMsg(query); err != nil {
		return nil, err
	}
	for {
		m, err := conn.ReadMsg()
		if m != nil && answers(m, query) {
			if err != nil && !m.Truncated {
				return nil, err
			}
			return m, nil
		}
		var broken net.Error
		if err != nil && (network == "tcp" || errors.As(err, &broken)) {
			return nil, err
		}
	}
}

// answers reports whether m is an answer to the query: the same id and question.
func answers(m, query *mdns.Msg) bool {
	return m.Response && m.Id == query.Id && m.Opcode == mdns.OpcodeQuery && len(m.Question) == 1 &&
		m.Question[0].Qtype == query.Question[0].Qtype && m.Question[0].Qclass == query.Question[0].Qclass &&
		strings.EqualFold(unescape(m.Question[0].Name), query.Question[0].Name)
}
