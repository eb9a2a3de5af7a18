package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/internal/attempt"
)

// Question is what is asked at RCPT, the body of the request.
type Question struct {
	Recipient   string `json:"recipient"`    // the forward-path, as the client wrote it
	ReversePath string `json:"reverse_path"` // "" is the null one
	RemoteIP    string `json:"remote_ip"`    // "" on a unix socket
	HELO        string `json:"helo"`
	Route       string `json:"route"`
}

// AskerConfig says where to ask. Only URL is needed.
type AskerConfig struct {
	URL         string // http or https, without captures
	Secrets     [][]byte
	Concurrency int           // connections kept, default 32
	Version     string        // for User-Agent
	Resolver    *net.Resolver // of the URL's host; nil is the system's
	Log         *slog.Logger  // nil: silent
}

// Asker asks an application whether it wants a recipient. It makes one request a
// question, without redirects, proxies or repeats, and remembers nothing. It is safe for
// concurrent use.
type Asker struct {
	url       *url.URL
	hostPort  string
	secrets   [][]byte
	version   string
	transport *http.Transport
	log       *slog.Logger
}

// NewAsker returns an Asker. It opens no connection. The errors hold nothing of the URL
// or the secrets.
func NewAsker(c AskerConfig) (*Asker, error) {
	t, err := parseTarget(c.URL)
	if err != nil {
		return nil, err
	}
	if len(t.captures) > 0 {
		return nil, errors.New("url: captures stand in the URLs of sinks alone; the recipient is in the question")
	}
	u, err := t.expand(nil)
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Asker{
		url: u, hostPort: t.hostPort(), secrets: c.Secrets, version: cmp.Or(c.Version, "devel"), log: c.Log,
		transport: attempt.Connections{Most: cmp.Or(c.Concurrency, 32), Resolver: c.Resolver}.Transport(),
	}, nil
}

// Close closes the connections that wait for use.
func (a *Asker) Close() { a.transport.CloseIdleConnections() }

// Ask returns nil for yes, an error that wraps status.UnknownRecipient for no, with the
// reply that the application words, and one that wraps status.LookupUnavailable for
// everything else, the end of ctx among it. The errors may be logged.
func (a *Asker) Ask(ctx context.Context, q Question) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	op := "accept of route " + strconv.Quote(q.Route)
	start, t := time.Now(), attempt.NewTracer()
	req, err := a.request(httptrace.WithClientTrace(ctx, t.Trace()), q, start)
	if err != nil {
		return status.LookupUnavailable.Wrap(op, errors.New("the request can't be made"))
	}
	resp, err := a.transport.RoundTrip(req)
	if err != nil {
		f := t.Failure(err, ctx, start)
		detail := failed(f, op, a.hostPort).detail
		if ctx.Err() != nil && !f.TimedOut {
			detail = "given up (" + a.hostPort + ")"
		}
		return status.LookupUnavailable.Wrap(op, errors.New(detail))
	}
	defer resp.Body.Close()
	timer := time.AfterFunc(drainTime, cancel)
	defer timer.Stop()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // keeps the connection; what it says doesn't matter
	warning, err := verdict(op, resp.StatusCode, resp.Header.Values("Smtp-Reply"), a.hostPort)
	if warning != "" {
		a.log.Warn(warning, "route", q.Route, "status", resp.StatusCode)
	}
	return err
}

// verdict says what an answer means. It is pure. Where an application contradicts
// itself, nobody is refused.
func verdict(op string, code int, replies []string, hostPort string) (warning string, err error) {
	if code/100 == 2 {
		if len(replies) > 0 {
			warning = "Smtp-Reply with a 2xx answer is ignored"
		}
		return warning, nil
	}
	cause := fmt.Errorf("HTTP %d (%s)", code, hostPort)
	open := status.LookupUnavailable.Wrap(op, cause)
	if len(replies) == 1 {
		switch reply, err := status.ParseReply(replies[0]); {
		case err == nil && reply.Class() == status.Permanent:
			return "", status.UnknownRecipient.WithReply(op, cause, reply)
		case err == nil:
			return "", open
		}
	}
	if len(replies) > 0 {
		warning = "Smtp-Reply is not a valid reply of class 4 or 5 and is ignored"
	}
	if code == http.StatusNotAcceptable {
		return warning, status.UnknownRecipient.Wrap(op, cause)
	}
	return warning, open
}

// request makes the request, signed as Standard Webhooks want it. Its id is its own:
// a question that is asked again may have another answer.
func (a *Asker) request(ctx context.Context, q Question, now time.Time) (*http.Request, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	// net/http makes it anew on another connection when one that was kept turns out to be
	// dead: the body can be read again, and has an Idempotency-Key.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	id, digest := "ask_"+strings.ToLower(rand.Text()), sha256.Sum256(body)
	h := req.Header
	h.Set("User-Agent", "mxhook/"+a.version)
	h.Set("Accept", "*/*")
	h.Set("Content-Type", "application/json")
	h.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(digest[:])+":")
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	h.Set("Idempotency-Key", id)
	h.Set("X-Mxhook-Route", url.PathEscape(q.Route))
	if len(a.secrets) > 0 {
		h.Set("Webhook-Signature", signatures(id, now.Unix(), body, a.secrets))
	}
	if user := a.url.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	return req, nil
}

// signatures is the value of webhook-signature for a body that is in memory.
func signatures(id string, timestamp int64, body []byte, secrets [][]byte) string {
	var list []string
	for _, key := range secrets {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.%s", id, timestamp, body)
		list = append(list, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(list, " ")
}
