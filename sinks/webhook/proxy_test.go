package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

func TestTheEnvironmentsProxyIsNotUsed(t *testing.T) {
	proxy, asked := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy)
	}
	// A proxy would look the name up itself; we do, and it doesn't exist.
	check(t, webhook.Config{URL: "http://app.sink.example./", Resolver: resolver(t, 3)}, 10, "451 4.3.5", 1, "the host has no address")
	if len(asked) != 0 {
		t.Error("the proxy of the environment was asked")
	}
	own := startProxy(t, nil)
	t.Setenv("NO_PROXY", "*")
	check(t, webhook.Config{URL: "http://app.sink.example/", Proxy: own.url("http", "")}, 10, "451 4.3.0", 2, "HTTP 502")
	if len(asked) != 0 || len(own.requests()) != 2 {
		t.Error("the environment has a say")
	}
}

// testProxy is an HTTP proxy on loopback. It notes the request lines that it gets, and
// wants user and password where login is set.
type testProxy struct {
	address, login string
	mu             sync.Mutex
	lines          []string
}

// startProxy starts one, of TLS if conf says so.
func startProxy(t *testing.T, conf *tls.Config) *testProxy {
	t.Helper()
	p := &testProxy{}
	p.address = rawServer(t, func(c net.Conn) {
		if conf != nil {
			c = tls.Server(c, conf)
		}
		p.serve(c)
	})
	return p
}

func (p *testProxy) url(scheme, user string) string { return scheme + "://" + user + p.address }

func (p *testProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines
}

func (p *testProxy) serve(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.lines = append(p.lines, r.Method+" "+r.RequestURI)
		p.mu.Unlock()
		if want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.login)); p.login != "" && r.Header.Get("Proxy-Authorization") != want {
			io.Copy(io.Discard, r.Body)
			io.WriteString(c, "HTTP/1.1 407 answer-canary\r\nProxy-Authenticate: Basic\r\nSmtp-Reply: 550 5.7.1 no\r\nContent-Length: 0\r\n\r\n")
			continue
		}
		if r.Method == http.MethodConnect {
			tunnel(c, in, r.Host)
			return
		}
		r.RequestURI = ""
		r.Header.Del("Proxy-Authorization")
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			io.Copy(io.Discard, r.Body)
			io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
			continue
		}
		resp.Header.Del("Connection")
		resp.Close = false
		resp.Write(c)
		resp.Body.Close()
	}
}

// tunnel carries octets both ways until both have ended.
func tunnel(c net.Conn, in io.Reader, address string) {
	to, err := net.Dial("tcp", address)
	if err != nil {
		io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\n\r\n")
		return
	}
	io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	var wg sync.WaitGroup
	wg.Go(func() {
		io.Copy(to, in)
		to.(*net.TCPConn).CloseWrite()
	})
	io.Copy(c, to)
	c.Close()
	wg.Wait()
	to.Close()
}

// TestAProxyCarriesTheRequest: TLS to the app is end to end, and the app's answer counts.
func TestAProxyCarriesTheRequest(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	got := make(chan *http.Request, 10)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n != r.ContentLength {
			t.Errorf("%d of %d octets: %v", n, r.ContentLength, err)
		}
		got <- r
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusNotAcceptable)
		}
	}))
	app.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert}
	app.EnableHTTP2 = true
	app.StartTLS()
	t.Cleanup(app.Close)
	plain, plainGot := receiver(t, ok)
	ours := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}
	// A proxy that asks for a certificate is given none: ours is for the app.
	ofProxy := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert, NextProtos: []string{"h2", "http/1.1"},
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) > 0 || s.NegotiatedProtocol != "http/1.1" {
				t.Errorf("the proxy got %d certificates of ours, and %s", len(s.PeerCertificates), s.NegotiatedProtocol)
			}
			return nil
		}}
	for scheme, conf := range map[string]*tls.Config{"http": nil, "https": ofProxy} {
		t.Run(scheme, func(t *testing.T) {
			p := startProxy(t, conf)
			p.login = "user:p@ss/word"
			by := p.url(scheme, "user:p%40ss%2Fword@")
			check(t, webhook.Config{URL: app.URL + "/mail", Proxy: by, TLS: ours}, 300<<10, "250", 1, "HTTP 200")
			r := <-got
			if r.Proto != "HTTP/2.0" || r.URL.Path != "/mail" || r.Header.Get("Proxy-Authorization") != "" || r.TLS == nil || len(r.TLS.PeerCertificates) != 1 {
				t.Errorf("the app got %s %s %v", r.Proto, r.URL, r.Header)
			}
			check(t, webhook.Config{URL: app.URL + "/no", Proxy: by, TLS: ours}, 10, "550", 1, "HTTP 406")
			<-got
			check(t, webhook.Config{URL: plain + "/mail", Proxy: by, TLS: ours}, 300<<10, "250", 1, "HTTP 200")
			if r := <-plainGot; r.URL.Path != "/mail" || r.ContentLength != int64(len(r.body)) || r.Header.Get("Proxy-Authorization") != "" {
				t.Errorf("the app got %s %v", r.URL, r.Header)
			}
			host := strings.TrimPrefix(app.URL, "https://")
			want := []string{"CONNECT " + host, "CONNECT " + host, "POST " + plain + "/mail"}
			if lines := p.requests(); strings.Join(lines, ", ") != strings.Join(want, ", ") {
				t.Errorf("the proxy got %q, want %q", lines, want)
			}
			s := newSink(t, webhook.Config{URL: app.URL + "/secret?token=x", Proxy: by, TLS: ours})
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			if lines := p.requests(); len(lines) != 4 || lines[3] != want[0] {
				t.Errorf("the check went another way: %q", lines)
			}
		})
	}
	untrusted := startProxy(t, &tls.Config{Certificates: []tls.Certificate{cert}})
	check(t, webhook.Config{URL: app.URL, Proxy: untrusted.url("https", "")}, 10, "451 4.3.5", 1, "proxy: certificate signed by an unknown authority")
}

// TestCapturesGoThroughTheSameProxy to the same host, whatever a sender writes.
func TestCapturesGoThroughTheSameProxy(t *testing.T) {
	t.Parallel()
	plain, got := receiver(t, ok)
	p := startProxy(t, nil)
	s := newSink(t, webhook.Config{URL: plain + "/t/{ticket}", Proxy: p.url("http", "")})
	e := sinktest.NewEvent(10)
	e.Recipients[0].Captures = map[string]string{"ticket": "@evil.example/../x?y"}
	if o := s.Deliver(t.Context(), e); o.Err != nil {
		t.Fatal(o.Err)
	}
	if r := <-got; r.URL.EscapedPath() != "/t/@evil.example%2F..%2Fx%3Fy" {
		t.Errorf("%s", r.URL.EscapedPath())
	}
	if lines := p.requests(); len(lines) != 1 || !strings.HasPrefix(lines[0], "POST "+plain+"/t/") {
		t.Errorf("%q", lines)
	}
}

func TestFailuresOfAProxy(t *testing.T) {
	t.Parallel()
	app, asked := receiver(t, ok)
	tlsApp := strings.Replace(app, "http:", "https:", 1)
	answers := func(s string) string { return rawServer(t, saying(s)) }
	locked := startProxy(t, nil)
	locked.login = "user:pass"
	gone := refusing(t)
	open := startProxy(t, nil)
	for _, c := range []struct {
		name, url, proxy string
		reply            string
		attempts         int
		detail           string
		health           sinks.Health
	}{
		{"nobody listens", tlsApp, "http://" + gone, "451 4.4.1", 2, "proxy: connection refused", sinks.Unreachable},
		{"nobody listens, for an http url", app, "http://" + gone, "451 4.4.1", 2, "proxy: connection refused", sinks.Unreachable},
		{"407", tlsApp, locked.url("http", "user:pass-canary@"), "451 4.3.5", 1, "proxy: it refuses our user and password", ""},
		{"407 without a user", tlsApp, locked.url("http", ""), "451 4.3.5", 1, "proxy: it refuses", ""},
		{"407 for an http url, whatever else it says", app, locked.url("http", "user:pass-canary@"), "451 4.3.5", 1, "proxy: it refuses", ""},
		{"403", tlsApp, "http://" + answers("HTTP/1.1 403 answer-canary\r\n\r\n"), "451 4.3.5", 1, "proxy: the tunnel is refused, HTTP 403", ""},
		{"a redirect is not followed", tlsApp, "http://" + answers("HTTP/1.1 302 Found\r\nLocation: "+app+"\r\n\r\n"), "451 4.3.5", 1, "HTTP 302", ""},
		{"429", tlsApp, "http://" + answers("HTTP/1.1 429 x\r\n\r\n"), "451 4.4.1", 2, "proxy: no tunnel, HTTP 429", sinks.Unreachable},
		{"500", tlsApp, "http://" + answers("HTTP/1.1 500 answer-canary\r\nSmtp-Reply: 550 5.7.1 no\r\n\r\n"), "451 4.4.1", 2, "proxy: no tunnel, HTTP 500", sinks.Unreachable},
		{"the app is gone", "https://" + gone, open.url("http", ""), "451 4.4.1", 2, "proxy: no tunnel, HTTP 503", sinks.Unreachable},
		{"closed without an answer", tlsApp, "http://" + rawServer(t, func(c net.Conn) { readRequest(bufio.NewReader(c)) }), "451 4.4.1", 2, "proxy: connection closed without an answer", sinks.Failing},
		{"garbage", tlsApp, "http://" + answers("SSH-2.0-answer-canary\r\n"), "451 4.4.1", 2, "proxy: malformed answer", sinks.Failing},
		{"octets behind the yes", tlsApp, "http://" + rawServer(t, func(c net.Conn) {
			readRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nanswer-canary")
		}), "451 4.4.1", 2, "proxy: malformed answer", sinks.Failing},
		{"silent", tlsApp, "http://" + rawServer(t, func(c net.Conn) { io.Copy(io.Discard, c) }), "451 4.4.1", 2, "timed out before the request was sent", sinks.Unreachable},
		{"no TLS where it is wanted", tlsApp, open.url("https", ""), "451 4.7.5", 2, "proxy: TLS handshake failed", sinks.Unreachable},
		{"the app speaks no TLS", tlsApp, open.url("http", ""), "451 4.7.5", 2, "TLS handshake failed (127.0.0.1", sinks.Unreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			seen := &watcher{}
			conf := webhook.Config{URL: c.url, Proxy: c.proxy, Observer: seen, Backoff: time.Millisecond,
				Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
			if c.name == "silent" {
				conf.Timeout = 100 * time.Millisecond
			}
			check(t, conf, 10, c.reply, c.attempts, c.detail)
			o := newSink(t, conf).Deliver(t.Context(), sinktest.NewEvent(10))
			_, host, _ := strings.Cut(c.proxy[len("http://"):], "@")
			if host == "" {
				_, host, _ = strings.Cut(c.proxy, "://")
			}
			if !strings.Contains(o.Detail, " by proxy "+host+")") {
				t.Errorf("the proxy is not named: %s", o.Detail)
			}
			if text := log.String() + o.Detail + o.Err.Error(); strings.Contains(text, "canary") {
				t.Errorf("a secret is told: %s", text)
			}
			if seen.last.Health != c.health {
				t.Errorf("health %q, want %q", seen.last.Health, c.health)
			}
		})
	}
	if len(asked) != 0 {
		t.Errorf("the app got %d requests", len(asked))
	}
}

// watcher keeps the last attempt.
type watcher struct {
	sinks.Observer
	last sinks.Attempt
}

func (w *watcher) Attempt(a sinks.Attempt) { w.last = a }

func TestCheckTellsWhatAProxySays(t *testing.T) {
	t.Parallel()
	locked := startProxy(t, nil)
	locked.login = "user:pass"
	for proxy, want := range map[string]string{
		locked.url("http", "user:pass-canary@"): "proxy: it refuses our user and password (app.example:443 by proxy " + locked.address + ")",
		"http://" + refusing(t):                 "proxy: connection refused",
	} {
		err := newSink(t, webhook.Config{URL: "https://app.example/", Proxy: proxy}).Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	silent := rawServer(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := newSink(t, webhook.Config{URL: "https://app.example/", Proxy: "http://" + silent}).Check(ctx); status.ConditionOf(err) != status.SinkTimeout {
		t.Errorf("%v", err)
	}
}

func TestParseProxy(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"http://proxy.example:3128": "http://proxy.example:3128", "https://u:p@proxy.example:443/": "https://u:p@proxy.example:443", "http://[::1]:8080": "http://[::1]:8080",
		"": "", "proxy.example:3128": "", "socks5://canary:1080": "", "http://canary": "", "http://canary:0": "", "http://canary:99999": "", "http://:3128": "",
		"http://canary:1/x": "", "http://canary:1?x": "", "http://canary:1?": "", "http://canary:1#x": "", "http://canary:1#": "", "http://u:canary@[x:1": "", "http://can ary:1": "",
		"http://{canary}.example:1": "", "http://{canary}@x.example:1": "", "HTTP://proxy.example:1": "http://proxy.example:1", "http://canary:1\n": "",
	} {
		u, err := webhook.ParseProxy(s)
		if (err == nil) != (want != "") || err == nil && u.String() != want {
			t.Errorf("%q: %v, %v", s, u, err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: a secret is told: %v", s, err)
		}
		if _, newErr := webhook.New(webhook.Config{Name: "app", URL: "https://app.example", Proxy: s}); s != "" && (newErr == nil) != (err == nil) {
			t.Errorf("%q: New says %v", s, newErr)
		}
	}
}
