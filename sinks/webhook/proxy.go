package webhook

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"mxhook/sinks/internal/attempt"
)

// ParseProxy reads the URL of an HTTP proxy: http or https, perhaps a user and password
// (percent-encoded), host and port. The errors follow the word proxy and hold nothing of
// the URL.
func ParseProxy(s string) (*url.URL, error) {
	const form = "it is written http://[USER:PASSWORD@]HOST:PORT or https://…, user and password percent-encoded"
	u, err := url.Parse(s)
	switch {
	case strings.ContainsAny(s, "{}"):
		return nil, errors.New("has braces; captures stand in path and query of url only, so that no sender chooses the way")
	case err != nil || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return nil, errors.New("is no URL; " + form)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must be one of HTTP; " + form)
	case u.Hostname() == "":
		return nil, errors.New("has no host; " + form)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return nil, errors.New("has a path, a query or a fragment; " + form)
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
		return nil, errors.New("has no port of 1 to 65535; " + form)
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}, nil
}

// connections are those of a sink to t, and peer is what logs and errors name of both.
func (c Config) connections(t target) (conns attempt.Connections, peer string, err error) {
	conns = attempt.Connections{Most: c.Concurrency, TLS: c.TLS, Resolver: c.Resolver, Target: t.base.Scheme}
	if c.Proxy == "" {
		return conns, t.hostPort(), nil
	}
	if conns.Proxy, err = ParseProxy(c.Proxy); err != nil {
		return conns, "", errors.New("proxy " + err.Error())
	}
	return conns, t.hostPort() + " by proxy " + conns.Proxy.Host, nil
}
