package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"

	"mxhook/inbound/status"
	"mxhook/sinks/internal/attempt"
)

// refusalTime is how long a server that asked for our certificate has to refuse it: in
// TLS 1.3 that comes after the handshake (RFC 8446 4.4.2.4).
const refusalTime = 500 * time.Millisecond

// Check connects to the host of the URL over the way that deliveries take, with the TLS
// handshake of an https URL, and sends no request: an application may take any request
// for a mail. Behind a proxy it goes through the tunnel to an https URL, and for an http
// URL as far as the proxy. So it tells of the network, of the certificates of both sides,
// and of no secret, path or format. See sinks.Checker.
func (s *Sink) Check(ctx context.Context) error {
	return reach(ctx, s.transport, s.target.base, s.op(), s.target.hostPort(), s.peer)
}

// Check connects to the host of the URL as Sink.Check does.
func (a *Asker) Check(ctx context.Context) error {
	return reach(ctx, a.transport, a.url, "accept", a.hostPort, a.hostPort)
}

// reach opens a connection to hostPort and closes it again; peer is what errors name.
func reach(ctx context.Context, transport *http.Transport, u *url.URL, op, hostPort, peer string) error {
	f := tryConnection(ctx, transport, u, hostPort)
	if f.Err == nil {
		return nil
	}
	f.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded)
	if ctx.Err() != nil && !f.TimedOut {
		return status.BudgetExceeded.Wrap(op, errors.New("given up ("+peer+")"))
	}
	return failed(f, op, peer).err
}

func tryConnection(ctx context.Context, transport *http.Transport, u *url.URL, hostPort string) attempt.Failure {
	address, err := httpguts.PunycodeHostPort(hostPort)
	if err != nil {
		return attempt.Failure{Err: err}
	}
	raw, err := transport.DialContext(ctx, "tcp", address)
	if err != nil {
		return attempt.Failure{Err: err}
	}
	defer raw.Close()
	if u.Scheme != "https" {
		return attempt.Failure{}
	}
	ctx, cancel := context.WithTimeout(ctx, transport.TLSHandshakeTimeout)
	defer cancel()
	c := transport.TLSClientConfig.Clone()
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(address)
	}
	c.NextProtos = []string{"h2", "http/1.1"}
	asked := false
	c.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		for i := range transport.TLSClientConfig.Certificates {
			if own := &transport.TLSClientConfig.Certificates[i]; request.SupportsCertificate(own) == nil {
				return own, nil
			}
		}
		return &tls.Certificate{}, nil
	}
	conn := tls.Client(raw, c)
	if err := conn.HandshakeContext(ctx); err != nil {
		return attempt.Failure{Err: err, Handshaking: true}
	}
	if asked {
		return attempt.Failure{Err: refusal(conn)}
	}
	return attempt.Failure{}
}

// refusal waits a moment for a server to refuse our certificate, or that we have none.
func refusal(conn *tls.Conn) error {
	conn.SetReadDeadline(time.Now().Add(refusalTime))
	if _, err := conn.Read(make([]byte, 1)); err != nil && attempt.CertificateRefused(err) {
		return err
	}
	return nil
}
