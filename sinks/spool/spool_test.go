package spool_test

import (
	"context"
	"io"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/ledger"
	"mxhook/sinks/payload"
	"mxhook/sinks/spool"
	"mxhook/sinks/trace"
	"mxhook/verify"
	"mxhook/verify/authres"
)

func open(t testing.TB, state string, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(state, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.Background()); s.Close() })
	return s
}

// sink is a sink that does what answer says, and keeps what it got.
type sink struct {
	name   string
	answer func(ctx context.Context, e *sinks.Event) sinks.Outcome // nil takes

	mu  sync.Mutex
	got []string // ids
}

func (s *sink) Name() string         { return s.name }
func (s *sink) FanOut() sinks.FanOut { return sinks.FanOutMessage }

func (s *sink) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome {
	s.mu.Lock()
	s.got = append(s.got, e.ID)
	answer := s.answer
	s.mu.Unlock()
	if answer == nil {
		return sinks.Outcome{Attempts: 1}
	}
	return answer(ctx, e)
}

func (s *sink) set(answer func(context.Context, *sinks.Event) sinks.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *sink) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func taken() sinks.Outcome { return sinks.Outcome{Attempts: 1} }

func later() sinks.Outcome {
	return sinks.Outcome{Err: status.SinkUnavailable.Wrap("sink", nil), Attempts: 1, Detail: "HTTP 503"}
}

func never() sinks.Outcome {
	return sinks.Outcome{Err: status.SinkRefused.Wrap("sink", nil), Attempts: 1, Detail: "HTTP 406"}
}

func blocked(d time.Duration) sinks.Outcome {
	return sinks.Outcome{Err: status.SinkCircuitOpen.Wrap("sink", nil), Detail: "circuit open", After: d}
}

// always answers the same.
func always(o sinks.Outcome) func(context.Context, *sinks.Event) sinks.Outcome {
	return func(context.Context, *sinks.Event) sinks.Outcome { return o }
}

// named finds sinks by name.
func named(list ...*sink) func(string) (sinks.Sink, func()) {
	return func(name string) (sinks.Sink, func()) {
		for _, s := range list {
			if s.name == name {
				return s, func() {}
			}
		}
		return nil, nil
	}
}

const text = "Return-Path: <x@y.example>\r\nAuthentication-Results: mx.in.example; spf=pass\r\nFrom: Bob <bob@sender.example>\r\n" +
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <b>&\r\nMessage-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n" +
	"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--b--\r\n"

// received is an event as the bridge makes it at reception.
func received(t testing.TB, n int) *sinks.Event {
	t.Helper()
	data := inbound.NewMailData([]byte(text))
	e := &sinks.Event{
		Route: "tickets", ReceivedAt: time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC), Hostname: "mx.in.example",
		Session: inbound.Session{ID: "s" + strconv.Itoa(n), Listener: ":25", RemoteIP: netip.MustParseAddr("192.0.2.1"), RemotePort: 2525, LocalName: "mx.in.example",
			HELO: "mail.sender.example", TLS: &inbound.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "mx.in.example"}},
		Mail: inbound.Mail{ReversePath: inbound.Path{LocalPart: "bob <x> \"y\"", Domain: "sender.example"}, Protocol: "ESMTPS", Body: "8BITMIME", DeclaredSize: 500},
		Data: data,
		Results: &verify.Results{FromVerified: true, FromVerifiedBy: "dkim", DKIM: []verify.DKIM{{Result: authres.Pass, Domain: "sender.example", Aligned: true}},
			ARC: verify.ARC{Result: authres.None}, Header: "mx.in.example; dkim=pass header.d=sender.example", ReceivedSPF: "none"},
	}
	e.Message = message.Parse(data, data.Size(), message.Options{})
	var err error
	if e.Cut, err = trace.Cut(data, e.Message, func(body string) bool { return authres.Claims(body, e.Hostname) }); err != nil {
		t.Fatal(err)
	}
	e.Identity = sinks.Identity{MessageID: "<1@sender.example>", BodySHA256: data.BodySHA256(), Transaction: strconv.Itoa(n)}.Sum()
	e.Recipients = []sinks.Recipient{
		{Path: inbound.Path{LocalPart: "Ann+7", Domain: "IN.example"}, Canonical: "ann+7@in.example", Captures: map[string]string{"ticket": "7"}},
		{Path: inbound.Path{LocalPart: "bob", Domain: "in.example"}},
	}
	e.ID = sinks.EventID(e.Identity, e.Route, e.Recipients)
	return e
}

func entry(e *sinks.Event, sink string) spool.Entry {
	x := spool.Entry{Event: e, Sink: sink}
	for _, r := range e.Recipients {
		x.Keys = append(x.Keys, ledger.KeyOf(e.Identity, e.Route, sink, r.Key()))
	}
	return x
}

func put(t testing.TB, s *spool.Spool, entries ...spool.Entry) {
	t.Helper()
	if err := s.Put(entries); err != nil {
		t.Fatal(err)
	}
}

// payloads are what the sinks of this program would be given of an event.
func payloads(t testing.TB, e *sinks.Event) string {
	t.Helper()
	native, err := payload.Native(t.Context(), e, payload.Include{Attachments: "inline", Raw: "inline", HTML: true})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := trace.Copy(e)
	if err != nil {
		t.Fatal(err)
	}
	one, err := io.ReadAll(native.Open())
	if err != nil {
		t.Fatal(err)
	}
	two, err := io.ReadAll(raw.Open())
	if err != nil {
		t.Fatal(err)
	}
	return string(one) + "\n" + string(two)
}
