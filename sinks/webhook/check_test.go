package webhook_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/webhook"
)

var _ sinks.Checker = (*webhook.Sink)(nil)

// TestCheckTellsWhatADeliveryWouldMeetAndSendsNoRequest goes over all that can be wrong
// on the way to a server.
func TestCheckTellsWhatADeliveryWouldMeetAndSendsNoRequest(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(30 * time.Minute)
	good, pool := certificate(t, "127.0.0.1", soon)
	expired, expiredPool := certificate(t, "127.0.0.1", time.Now().Add(-time.Minute))
	other, otherPool := certificate(t, "other.example", soon)
	serve := func(c tls.Certificate, auth tls.ClientAuthType) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{c}, ClientAuth: auth}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	t.Cleanup(plain.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	ours := serve(good, tls.RequireAnyClientCert)
	for _, c := range []struct {
		name, url string
		tls       *tls.Config
		condition *status.Condition
		words     string
	}{
		{"good", serve(good, tls.NoClientCert).URL + "/{ticket}?token=canary", &tls.Config{RootCAs: pool}, nil, ""},
		{"in clear", plain.URL, nil, nil, ""},
		{"unknown authority", serve(good, tls.NoClientCert).URL, &tls.Config{RootCAs: otherPool}, status.SinkOperator, "unknown authority"},
		{"expired", serve(expired, tls.NoClientCert).URL, &tls.Config{RootCAs: expiredPool}, status.SinkOperator, "expired"},
		{"another name", serve(other, tls.NoClientCert).URL, &tls.Config{RootCAs: otherPool}, status.SinkOperator, "another name"},
		{"our certificate is taken", ours.URL, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{good}}, nil, ""},
		{"our certificate is missing", ours.URL, &tls.Config{RootCAs: pool}, status.SinkOperator, "our certificate was refused"},
		{"https at a server of http", strings.Replace(plain.URL, "http", "https", 1), nil, status.SinkTLS, "TLS handshake failed"},
		{"nobody listens", gone.URL, nil, status.SinkUnavailable, "connection refused"},
		{"no such host", "https://user:canary@nowhere.invalid/canary", nil, nil, "nowhere.invalid:443"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := webhook.New(webhook.Config{Name: "app", URL: c.url, TLS: c.tls})
			if err != nil {
				t.Fatal(err)
			}
			err = s.Check(t.Context())
			if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
				t.Fatalf("%v", err)
			}
			if c.condition != nil && status.ConditionOf(err) != c.condition {
				t.Errorf("%s: %v", status.ConditionOf(err).Name(), err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	silent := rawServer(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	s, err := webhook.New(webhook.Config{Name: "app", URL: "https://" + silent})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Check(ctx); status.ConditionOf(err) != status.SinkTimeout {
		t.Errorf("%v", err)
	}
	a, err := webhook.NewAsker(webhook.AskerConfig{URL: "https://" + silent})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Check(ctx); err == nil {
		t.Error("an asker reached a server that says nothing")
	}
}
