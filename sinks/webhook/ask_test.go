package webhook_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"mxhook/inbound/status"
	"mxhook/sinks/webhook"
)

var question = webhook.Question{Recipient: "a+b@in.example", ReversePath: "ann@sender.example", RemoteIP: "192.0.2.1", HELO: "mail.sender.example", Route: "ask"}

func newAsker(t *testing.T, c webhook.AskerConfig) *webhook.Asker {
	t.Helper()
	a, err := webhook.NewAsker(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func TestAQuestionIsSignedLikeAWebhook(t *testing.T) {
	url, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	keys := [][]byte{[]byte(strings.Repeat("k", 32)), []byte(strings.Repeat("l", 32))}
	a := newAsker(t, webhook.AskerConfig{URL: strings.Replace(url, "://", "://user:pass@", 1) + "/rcpt?x=1", Secrets: keys, Version: "7"})
	if err := a.Ask(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	r := <-got
	const want = `{"recipient":"a+b@in.example","reverse_path":"ann@sender.example","remote_ip":"192.0.2.1","helo":"mail.sender.example","route":"ask"}`
	if string(r.body) != want {
		t.Errorf("body %s", r.body)
	}
	for _, key := range keys {
		verifier, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(r.body, r.Header); err != nil {
			t.Error(err)
		}
	}
	user, password, _ := r.BasicAuth()
	if r.Method != http.MethodPost || r.URL.String() != "/rcpt?x=1" || r.Header.Get("Content-Type") != "application/json" ||
		r.Header.Get("User-Agent") != "mxhook/7" || user != "user" || password != "pass" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	if err := newAsker(t, webhook.AskerConfig{URL: url}).Ask(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.Header.Get("Webhook-Signature") != "" || r.Header.Get("Webhook-Id") == "" {
		t.Errorf("without a secret: %v", r.Header)
	}
}

func TestWhatAnAnswerToAQuestionMeans(t *testing.T) {
	const yes, no, open = "250 2.0.0 OK", "550 5.1.1 no such recipient", "451 4.3.0 temporary lookup failure"
	for _, c := range []struct {
		name  string
		code  int
		reply []string
		want  string
	}{
		{"200", 200, nil, yes},
		{"299", 299, nil, yes},
		{"a yes ignores a reply", 202, []string{"550 5.7.1 no"}, yes},
		{"406", 406, nil, no},
		{"406 with a reply", 406, []string{"550 5.1.6 moved to bob"}, "550 5.1.6 moved to bob"},
		{"a reply of class 5 on any other status", 500, []string{"553 5.1.8 who are you"}, "553 5.1.8 who are you"},
		{"a reply of class 4", 403, []string{"450 4.2.1 full"}, open},
		{"406 that says later", 406, []string{"451 4.7.1 later"}, open},
		{"406 with nonsense", 406, []string{"550 go away"}, no},
		{"406 with two replies", 406, []string{"550 5.1.6 a", "550 5.1.6 b"}, no},
		{"a 421 is nobody's to say", 403, []string{"421 4.3.2 bye"}, open},
		{"300", 300, nil, open}, {"301", 301, nil, open}, {"304", 304, nil, open}, {"307", 307, nil, open},
		{"400", 400, nil, open}, {"401", 401, nil, open}, {"404", 404, nil, open}, {"410", 410, nil, open},
		{"429", 429, nil, open}, {"500", 500, nil, open}, {"503", 503, nil, open}, {"600", 600, nil, open},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.Header()["Smtp-Reply"] = c.reply
				w.WriteHeader(c.code)
			})
			err := newAsker(t, webhook.AskerConfig{URL: url}).Ask(t.Context(), question)
			if reply := status.ReplyOf(err).String(); reply != c.want {
				t.Errorf("%s (%v), want %s", reply, err, c.want)
			}
			if len(got) != 1 {
				t.Errorf("%d requests", len(got))
			}
		})
	}
}

func TestWhatNoAnswerToAQuestionMeans(t *testing.T) {
	for name, c := range map[string]struct{ address, detail string }{
		"refused":           {refusing(t), "connection refused"},
		"no HTTP":           {rawServer(t, saying("220 mx ESMTP\r\n")), "malformed answer"},
		"closed":            {rawServer(t, saying("")), "closed without an answer"},
		"a header too long": {rawServer(t, saying("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 100<<10)+"\r\n\r\n")), ""},
		"a final 1xx":       {rawServer(t, saying("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")), "HTTP 101"},
	} {
		t.Run(name, func(t *testing.T) {
			err := newAsker(t, webhook.AskerConfig{URL: "http://" + c.address + "/token-canary"}).Ask(t.Context(), question)
			if status.ConditionOf(err) != status.LookupUnavailable || !strings.Contains(err.Error(), c.detail) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAQuestionEndsWithItsContext(t *testing.T) {
	arrived := make(chan bool)
	address := rawServer(t, func(c net.Conn) {
		arrived <- true
		io.Copy(io.Discard, c)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-arrived
		cancel()
	}()
	err := newAsker(t, webhook.AskerConfig{URL: "http://" + address}).Ask(ctx, question)
	if status.ConditionOf(err) != status.LookupUnavailable || !strings.Contains(err.Error(), "given up ("+address+")") {
		t.Error(err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if err := newAsker(t, webhook.AskerConfig{URL: "http://" + address}).Ask(ctx, question); status.ConditionOf(err) != status.LookupUnavailable {
		t.Error(err)
	}
}

// A body without end costs neither time nor memory: the status has said it all.
func TestAnEndlessAnswerToAQuestionIsCut(t *testing.T) {
	address := rawServer(t, func(c net.Conn) {
		if _, ok := readRequest(bufio.NewReader(c)); !ok {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		for {
			if _, err := c.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	if err := newAsker(t, webhook.AskerConfig{URL: "http://" + address}).Ask(t.Context(), question); err != nil {
		t.Error(err)
	}
}

func TestQuestionsUseNoProxyOfTheEnvironment(t *testing.T) {
	proxy, asked := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy)
	}
	err := newAsker(t, webhook.AskerConfig{URL: "http://app.sink.example./", Resolver: resolver(t, 3)}).Ask(t.Context(), question)
	if status.ConditionOf(err) != status.LookupUnavailable || len(asked) != 0 {
		t.Errorf("%v, the proxy was asked %d times", err, len(asked))
	}
}

func TestAnAskerRefusesWhatItCantAsk(t *testing.T) {
	for _, url := range []string{"", "app.example.com", "ftp://canary.example/", "https:///", "https://app.example.com/{canary}", "https://{canary}.example/"} {
		_, err := webhook.NewAsker(webhook.AskerConfig{URL: url})
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if b, err := json.Marshal(webhook.Question{}); err != nil || strings.Count(string(b), `""`) != 5 {
		t.Errorf("an empty question is %s, %v: every key stands in it", b, err)
	}
}
