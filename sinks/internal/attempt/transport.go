package attempt

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	connectTimeout  = 10 * time.Second
	idleTimeout     = 30 * time.Second
	maxAnswerHeader = 64 << 10
)

// Connections say what a sink's connections are like. The zero value will do.
type Connections struct {
	Most     int           // that are kept for use, 0 is none
	TLS      *tls.Config   // nil: system roots; TLS 1.2 is the least in any case
	Resolver *net.Resolver // nil: the system's
	// Proxy, of http or https and with its port, is between us and the sink; nil is none.
	// Target is the scheme of the sink: "https" goes through a tunnel, the requests of
	// "http" to the proxy itself.
	Proxy  *url.URL
	Target string
}

// Transport returns the connections of one sink: none is shared with another, none goes
// through a proxy of the environment, and a request waits for none. DialContext leads to
// the sink, for one of http behind a proxy as far as the proxy.
func (c Connections) Transport() *http.Transport {
	conf := &tls.Config{}
	if c.TLS != nil {
		conf = c.TLS.Clone()
	}
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 15 * time.Second, Resolver: c.Resolver}
	t := &http.Transport{
		Proxy:                  nil, // never the environment's
		DialContext:            dialer.DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           c.Most,
		MaxIdleConnsPerHost:    c.Most,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true,
		WriteBufferSize:        32 << 10,
	}
	if c.Proxy != nil {
		p := newProxy(c.Proxy, dialer, conf)
		t.DialContext = p.tunnel
		if c.Target == "http" {
			t.Proxy, t.DialContext = http.ProxyURL(p.plain()), p.dial
		}
	}
	return t
}
