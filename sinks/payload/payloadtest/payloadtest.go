// Package payloadtest makes events of messages and reads what a format makes of them,
// for the tests of the formats.
package payloadtest

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unicode/utf8"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/trace"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// Now is the time of the first attempt.
var Now = time.Date(2026, 11, 21, 10, 0, 1, 0, time.UTC)

// Event is what the bridge makes of a message that comes from sender.example for
// support+42@in.example, or for the recipients given.
func Event(t testing.TB, data []byte, recipients ...string) *sinks.Event {
	t.Helper()
	if len(recipients) == 0 {
		recipients = []string{"support+42@in.example"}
	}
	e := &sinks.Event{
		ID: "msg_abcdefghijklmnopqrstuvwxyz", Route: "tickets", Hostname: "mx.in.example",
		ReceivedAt: time.Date(2026, 11, 21, 10, 0, 0, 123e6, time.UTC),
		Session: inbound.Session{
			RemoteIP: netip.MustParseAddr("192.0.2.1"), HELO: "mail.sender.example",
			TLS: &inbound.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "mx.in.example"},
		},
		Mail:    inbound.Mail{ReversePath: inbound.Path{LocalPart: "ann", Domain: "sender.example"}, Protocol: "ESMTPS"},
		Results: Results(),
		Data:    inbound.NewMailData(data),
	}
	for _, r := range recipients {
		path, err := inbound.ParsePath(r, true)
		if err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		e.Recipients = append(e.Recipients, sinks.Recipient{Path: path})
	}
	e.Message = message.Parse(e.Data, e.Data.Size(), message.Options{})
	var err error
	if e.Cut, err = trace.Cut(e.Data, e.Message, func(body string) bool { return authres.Claims(body, e.Hostname) }); err != nil {
		t.Fatal(err)
	}
	return e
}

// Results are those of a message that passes everything.
func Results() *verify.Results {
	return &verify.Results{
		SPF:     verify.SPF{Result: authres.Pass, Domain: "sender.example"},
		SPFHelo: verify.SPF{Result: authres.None, Domain: "mail.sender.example"},
		DKIM:    []verify.DKIM{{Result: authres.Pass, Domain: "sender.example", Selector: "s1", Algorithm: "rsa-sha256", Aligned: true}},
		DMARC: verify.DMARC{
			Result: authres.Pass, Domain: "sender.example", PolicyDomain: "sender.example", OrganizationalDomain: "sender.example",
			Policy: "reject", Disposition: "none", SPFAligned: true, DKIMAligned: true,
		},
		IPRev:        verify.IPRev{Result: authres.Pass, Name: "mail.sender.example"},
		FromVerified: true, FromVerifiedBy: "dkim",
		Header:      "mx.in.example; spf=pass smtp.mailfrom=ann@sender.example; dkim=pass header.d=sender.example header.s=s1; dmarc=pass header.from=sender.example",
		ReceivedSPF: `pass (mx.in.example: matched ip4) identity=mailfrom; client-ip=192.0.2.1; envelope-from="ann@sender.example"; helo=mail.sender.example`,
	}
}

// Example is the event of one of the project's example messages.
func Example(t testing.TB, name string, recipients ...string) *sinks.Event {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(examples(), "messages", name))
	if err != nil {
		t.Fatal(err)
	}
	return Event(t, data, recipients...)
}

// Messages are the files of the project's example messages, at least a hundred.
func Messages(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examples(), "messages", "*.eml"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d messages: %v", len(files), err)
	}
	return files
}

func examples() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "..", "examples")
}

// Request is what the first attempt to deliver e sends, and the octets of its body,
// which are as many as the body said and the same at a second reading.
func Request(t testing.TB, f payload.Format, e *sinks.Event) (payload.Request, []byte) {
	t.Helper()
	encoded, err := f.Encode(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	r, err := encoded.Request(payload.Attempt{Time: Now, URL: "https://app.example/in"})
	if err != nil {
		t.Fatal(err)
	}
	p := Read(t, r.Body)
	again := &comparer{want: p}
	body := r.Body.Open()
	defer body.Close()
	if _, err := io.Copy(again, body); err != nil || len(again.want) > 0 {
		t.Errorf("a second reading yields other octets: %v", err)
	}
	return r, p
}

// comparer takes the octets of want, and an error is one that is another.
type comparer struct{ want []byte }

// Write implements io.Writer.
func (c *comparer) Write(p []byte) (int, error) {
	rest, ok := bytes.CutPrefix(c.want, p)
	if !ok {
		return 0, errors.New("it differs")
	}
	c.want = rest
	return len(p), nil
}

// Read is what a body yields.
func Read(t testing.TB, body *payload.Body) []byte {
	t.Helper()
	r := body.Open()
	defer r.Close()
	var b bytes.Buffer
	b.Grow(int(body.Size()) + bytes.MinRead)
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != body.Size() {
		t.Errorf("%d octets, Size says %d", b.Len(), body.Size())
	}
	return b.Bytes()
}

// RawText is what a text of the whole message must hold: payload.RawText, which is the raw
// copy itself where that is UTF-8.
func RawText(t testing.TB, e *sinks.Event) string {
	t.Helper()
	src, err := payload.RawText(e)
	if err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(src.Open())
	if err != nil || int64(len(p)) != src.Size || !utf8.Valid(p) {
		t.Errorf("%d octets, Size says %d, UTF-8 %t, %v", len(p), src.Size, utf8.Valid(p), err)
	}
	return string(p)
}
