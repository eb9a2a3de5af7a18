package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAPoisonousMessageDefersNoGoodMail(t *testing.T) {
	c := startCircuits(t, "20s")
	c.stuck.set(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), "poison") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	poison := []byte(strings.Replace(smallMessage, "hello", "poison", 1))
	for i := range 50 {
		if got := c.send(t, "ann@sender.example", "stuck@in.example", poison); !strings.HasPrefix(got, "451 ") || strings.HasPrefix(got, deferred) {
			t.Fatalf("poison %d: %q", i, got)
		}
		if i%5 == 4 { // not after each, which would end any row
			c.post(t, "other@in.example", "250 ")
		}
	}
	for range 50 {
		c.send(t, "ann@sender.example", "stuck@in.example", poison)
	}
	c.post(t, "other@in.example", "250 ")
	c.metric(t, "stuck", 0)
}

func TestOperatorsErrorsAndRefusalsOpenNoCircuit(t *testing.T) {
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for _, cause := range []struct {
		name string
		code int
		want string
	}{
		{"401", 401, "451 4.3.5 "}, {"403", 403, "451 4.3.5 "}, {"404", 404, "451 4.3.5 "}, {"301", 301, "451 4.3.5 "},
		{"406", 406, "550 5.7.1 "}, {"413", 413, "552 5.3.4 "}, {"408", 408, "451 4.4.5 "}, {"a certificate of nobody", 0, "451 4.3.5 "},
	} {
		t.Run(cause.name, func(t *testing.T) {
			a := startApp(t)
			url := a.URL
			if a.set(answering(cause.code)); cause.code == 0 {
				url = untrusted.URL
			}
			c := &circuits{running: startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
admin: {address: "127.0.0.1:0"}
sinks: {stuck: {type: webhook, url: %q, attempts: 1, circuit: {failures: 1, open: 1h}}}
routes: [{recipient: "@in.example", deliver: [stuck]}]
`, url))}
			for range 25 {
				c.post(t, "stuck@in.example", cause.want)
			}
			c.metric(t, "stuck", 0)
		})
	}
}
