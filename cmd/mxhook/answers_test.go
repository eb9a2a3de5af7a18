package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

const answersConfig = `
hostname: mx.in.example
delivery: {budget: 20s}
sinks:
  app: {type: webhook, url: "%URL%", attempts: 1, timeout: 15s}
routes:
  - {recipient: "@in.example", deliver: [app]}
`

const smallMessage = "From: ann@sender.example\r\nTo: support@in.example\r\nSubject: hello\r\n" +
	"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <hello@sender.example>\r\n\r\nHello\r\n"

// wantReply is the contract's table of what a status means for the sender.
func wantReply(code int) string {
	switch {
	case code < 200:
		return "451 4.4.1 "
	case code < 300:
		return "250 2.0.0 "
	case code < 400:
		return "451 4.3.5 "
	}
	switch code {
	case 406:
		return "550 5.7.1 "
	case 413:
		return "552 5.3.4 "
	case 408, 425, 429, 503:
		return "451 4.4.5 "
	case 504:
		return "451 4.4.1 "
	}
	if code < 500 {
		return "451 4.3.5 "
	}
	return "451 4.3.0 "
}

// bare answers with a status line that no HTTP library would write, and closes.
func bare(line string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(conn, line)
		conn.Close()
	}
}

// reset breaks the connection with a RST after the request was read.
func reset(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

func TestEveryStatusHasItsReply(t *testing.T) {
	a := startApp(t)
	b := startBridge(t, strings.ReplaceAll(answersConfig, "%URL%", a.URL))
	for code := 100; code < 600; code++ {
		a.set(bare(fmt.Sprintf("HTTP/1.1 %d Something\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", code)))
		got := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage))
		if want := wantReply(code); !strings.HasPrefix(got, want) {
			t.Errorf("HTTP %d: reply %q, want %q", code, got, want)
		}
	}
}

func TestEveryFailureHasItsReply(t *testing.T) {
	a := startApp(t)
	refused := "http://" + closedPort(t)
	cases := []struct {
		name, url, extra string
		answer           http.HandlerFunc
		want             string
	}{
		{name: "connection refused", url: refused, want: "451 4.4.1 "},
		{name: "connection broken", answer: reset, want: "451 4.4.1 "},
		{name: "connection closed", answer: bare(""), want: "451 4.4.1 "},
		{name: "no HTTP", answer: bare("220 smtp.example ESMTP\r\n"), want: "451 4.4.1 "},
		{name: "half an answer", answer: bare("HTTP/1.1 200 O"), want: "451 4.4.1 "},
		{name: "time-out after the request", answer: func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, extra: "timeout: 300ms", want: "451 4.4.1 "},
		{name: "budget used up", answer: func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, extra: "timeout: 2s", want: "451 4.4.5 "},
		{name: "https to a port of http", url: strings.Replace(a.URL, "http:", "https:", 1), want: "451 4.7.5 "},
		{name: "refused with words", answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusNotAcceptable)
			io.WriteString(w, "this ticket is closed\nsecond line")
		}, want: "550 5.7.1 this ticket is closed"},
		{name: "a reply of its own", answer: smtpReply(http.StatusConflict, "552 5.2.2 the mailbox is full"), want: "552 5.2.2 the mailbox is full"},
		{name: "a reply of its own, later", answer: smtpReply(http.StatusOK+300, "450 4.2.1 come back tomorrow"), want: "450 4.2.1 come back tomorrow"},
		{name: "a reply of its own with 2xx is ignored", answer: smtpReply(http.StatusOK, "550 5.7.1 no"), want: "250 2.0.0 "},
		{name: "421 is the server's own", answer: smtpReply(http.StatusInternalServerError, "421 4.3.2 go away"), want: "451 4.3.0 "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.url == "" {
				c.url = a.URL
			}
			config := strings.ReplaceAll(answersConfig, "%URL%", c.url)
			if c.name == "budget used up" {
				config = strings.Replace(config, "budget: 20s", "budget: 500ms", 1)
			}
			if c.extra != "" {
				config = strings.Replace(config, "timeout: 15s", c.extra, 1)
			}
			a.set(c.answer)
			b := startBridge(t, config)
			got := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage))
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("reply %q, want %q", got, c.want)
			}
		})
	}
}

func smtpReply(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Smtp-Reply", text)
		w.WriteHeader(code)
	}
}

// closedPort returns an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestNoSecretAndNoErrorTextGetsOut(t *testing.T) {
	a := startApp(t)
	canary := func(s string) string {
		return strings.Replace(s, "http://", "http://canary-user:canary-password@", 1) + "/canary-path?token=canary-query"
	}
	answers := map[string]http.HandlerFunc{
		"broken": reset, "500": answering(500), "404": answering(404), "no HTTP": bare("canary\r\n"), "redirect": bare(
			"HTTP/1.1 302 Found\r\nLocation: http://canary-location/\r\nContent-Length: 0\r\n\r\n"),
		"a reply with controls": smtpReply(500, "550 5.7.1 canary-text"),
	}
	urls := map[string]string{"up": canary(a.URL), "refused": canary("http://" + closedPort(t)), "tls": strings.Replace(canary(a.URL), "http:", "https:", 1)}
	for urlName, url := range urls {
		for name, answer := range answers {
			if name == "a reply with controls" {
				continue // its text is meant for the sender
			}
			t.Run(urlName+" "+name, func(t *testing.T) {
				a.set(answer)
				b := startBridge(t, strings.Replace(strings.ReplaceAll(answersConfig, "%URL%", url), "attempts: 1",
					`attempts: 2, secret: "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5", headers: {X-Api-Key: "canary-header"}`, 1))
				reply := b.send(t, "ann@sender.example", "support@in.example", []byte(smallMessage))
				log := b.log.String()
				for _, secret := range []string{"canary", "Y2FuYXJ5"} {
					if strings.Contains(reply, secret) || strings.Contains(log, secret) {
						t.Errorf("%q got out:\nreply %s\nlog %s", secret, reply, log)
					}
				}
				for _, text := range []string{"dial tcp", "net/http", "EOF", "goroutine", "read tcp", "context ", "0x"} {
					if strings.Contains(reply, text) || strings.Contains(log, text) {
						t.Errorf("Go's words %q got out:\nreply %s\nlog %s", text, reply, log)
					}
				}
			})
		}
	}
}
