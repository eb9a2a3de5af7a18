package attempt

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	"mxhook/inbound/status"
	"mxhook/sinks"
)

// proxyTime bounds the whole way through a proxy: its connection, its TLS, and the
// tunnel, for which it must connect in turn.
const proxyTime = 20 * time.Second

// ProxyError is what went wrong on the way to a proxy, or by its own word. Its text is
// never told.
type ProxyError struct {
	Err         error
	Code        int  // the status by which it refused the tunnel, 0 for none
	Handshaking bool // TLS with the proxy itself had begun and was not done
}

// Error implements error, without the text of Err.
func (e *ProxyError) Error() string { return "proxy failed" }

// Unwrap returns Err.
func (e *ProxyError) Unwrap() error { return e.Err }

// cause says what e means: Err as if the proxy were the sink.
func (e *ProxyError) cause(f Failure) Cause {
	c := Cause{status.SinkUnavailable, "no tunnel, HTTP " + strconv.Itoa(e.Code), true, sinks.Unreachable}
	switch {
	case e.Code == 0:
		f.Err, f.Handshaking, f.Answered = e.Err, e.Handshaking, errors.Is(e.Err, errMalformed)
		c = f.Cause()
	case e.Code == http.StatusProxyAuthRequired:
		return CredentialsOfProxy
	case e.Code == http.StatusRequestTimeout || e.Code == http.StatusTooManyRequests:
	case e.Code/100 == 3 || e.Code/100 == 4:
		c = Cause{status.SinkOperator, "the tunnel is refused, HTTP " + strconv.Itoa(e.Code), false, ""}
	}
	c.Words = "proxy: " + c.Words
	return c
}

// CredentialsOfProxy is the cause of a 407, which nobody but a proxy says (RFC 9110 15.5.8).
var CredentialsOfProxy = Cause{status.SinkOperator, "proxy: it refuses our user and password", false, ""}

// proxy is the way through an HTTP proxy.
type proxy struct {
	url    *url.URL // http or https, with the port
	dialer *net.Dialer
	tls    *tls.Config // with a proxy of https
}

// newProxy returns the way through u. The authorities of sink hold for the proxy, too;
// its certificate is the sink's alone.
func newProxy(u *url.URL, dialer *net.Dialer, sink *tls.Config) *proxy {
	p := &proxy{url: u, dialer: dialer}
	if u.Scheme == "https" {
		p.tls = &tls.Config{RootCAs: sink.RootCAs, MinVersion: sink.MinVersion, ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}}
	}
	return p
}

// plain is the URL that net/http sees: dial has done the TLS of an https proxy.
func (p *proxy) plain() *url.URL { return &url.URL{Scheme: "http", Host: p.url.Host, User: p.url.User} }

// dial connects to the proxy, whatever address is asked for. Errors are *ProxyError.
func (p *proxy) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, proxyTime)
	defer cancel()
	return p.connect(ctx)
}

func (p *proxy) connect(ctx context.Context) (net.Conn, error) {
	address, err := httpguts.PunycodeHostPort(p.url.Host)
	if err != nil {
		return nil, &ProxyError{Err: err}
	}
	raw, err := p.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, &ProxyError{Err: err}
	}
	if p.tls == nil {
		return raw, nil
	}
	conn := tls.Client(raw, p.tls)
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, &ProxyError{Err: err, Handshaking: true}
	}
	return conn, nil
}

// tunnel connects to address through the proxy (RFC 9110 9.3.6). Errors are *ProxyError.
func (p *proxy) tunnel(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, proxyTime)
	defer cancel()
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	code, err := p.ask(conn, address)
	if !stop() && err == nil { // the deadline may be set at any time now
		err = ctx.Err()
	}
	if err != nil || code/100 != 2 {
		conn.Close()
		return nil, &ProxyError{Err: err, Code: code}
	}
	return conn, nil
}

var errMalformed = errors.New("attempt: malformed answer of a proxy")

// ask asks for a tunnel. code is 0 with an error.
func (p *proxy) ask(conn net.Conn, address string) (code int, err error) {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{"User-Agent": {"mxhook"}}}
	if u := p.url.User; u != nil {
		password, _ := u.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := r.Write(conn); err != nil {
		return 0, err
	}
	answer := bufio.NewReader(io.LimitReader(conn, maxAnswerHeader))
	if _, err := answer.Peek(1); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(answer, r)
	switch broken := net.Error(nil); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &broken):
		return 0, err
	case err != nil, resp.StatusCode/100 == 2 && answer.Buffered() > 0: // a server of TLS waits for us
		return 0, errMalformed
	}
	return resp.StatusCode, nil
}
