package record_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/record"
	"mxhook/sinks/trace"
	"mxhook/verify"
	"mxhook/verify/authres"
)

const text = "Return-Path: <x@y.example>\r\nAuthentication-Results: mx.in.example; spf=pass\r\nFrom: Bob <bob@sender.example>\r\n" +
	"Subject: Hi\r\nMessage-ID: <1@sender.example>\r\n\r\nGr\xfc\xdfe\r\n"

// received is an event as the bridge makes it, with a value in every place.
func received(t testing.TB) *sinks.Event {
	t.Helper()
	data := inbound.NewMailData([]byte(text))
	e := &sinks.Event{
		Route: "tickets", ReceivedAt: time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC), Hostname: "mx.in.example",
		Session: inbound.Session{ID: "s1", Listener: ":25", RemoteIP: netip.MustParseAddr("2001:db8::1"), RemotePort: 2525, LocalName: "mx.in.example",
			HELO: "mail.sender.example", TLS: &inbound.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "mx.in.example"}, User: "ann"},
		Mail: inbound.Mail{ReversePath: inbound.Path{LocalPart: "böb <x> \"y\"", Domain: "sender.example"}, Protocol: "UTF8SMTPS", SMTPUTF8: true, Body: "8BITMIME", DeclaredSize: 500},
		Data: data,
		Results: &verify.Results{SPF: verify.SPF{Result: authres.Fail, Domain: "sender.example", Explanation: "not\tyours", Mechanism: "-all", DNSSEC: true},
			DKIM: []verify.DKIM{{Result: authres.Pass, Domain: "sender.example", Aligned: true, KeyBits: 2048, Oversigned: []string{"from"},
				Signed: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}},
			DMARC: verify.DMARC{Result: authres.Pass, AggregateReports: []string{"mailto:a@b.example"}},
			ARC:   verify.ARC{Result: authres.None, Sealers: []string{"x.example"}}, IPRev: verify.IPRev{Result: authres.Pass, Name: "mail.sender.example"},
			FromVerified: true, FromVerifiedBy: "dkim", FromVerifiedReason: "it passes", Header: "mx.in.example; dkim=pass header.d=sender.example", ReceivedSPF: "fail"},
	}
	e.Message = message.Parse(data, data.Size(), message.Options{SMTPUTF8: true})
	var err error
	if e.Cut, err = trace.Cut(data, e.Message, func(body string) bool { return authres.Claims(body, e.Hostname) }); err != nil {
		t.Fatal(err)
	}
	e.Identity = sinks.Identity{MessageID: "<1@sender.example>", BodySHA256: data.BodySHA256()}.Sum()
	e.Recipients = []sinks.Recipient{
		{Path: inbound.Path{LocalPart: "Ann+7", Domain: "IN.example"}, Canonical: "ann+7@in.example", Captures: map[string]string{"ticket": "7", "who": "𝄞\u2028\u0085<&>", "none": ""}},
		{Path: inbound.Path{LocalPart: "postmaster"}},
		{Path: inbound.Path{LocalPart: "b@b", Domain: "[192.0.2.1]"}},
	}
	e.ID = sinks.EventID(e.Identity, e.Route, e.Recipients)
	return e
}

func marshal(t testing.TB, e *sinks.Event) []byte {
	t.Helper()
	b, err := record.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnEventComesBackAsItWas(t *testing.T) {
	for name, change := range map[string]func(*sinks.Event){
		"everything is known":   func(*sinks.Event) {},
		"nothing was verified":  func(e *sinks.Event) { e.Results = nil },
		"the null reverse-path": func(e *sinks.Event) { e.Mail.ReversePath = inbound.Path{} },
		"over a unix socket":    func(e *sinks.Event) { e.Session.RemoteIP, e.Session.TLS = netip.Addr{}, nil },
		"a provider's message": func(e *sinks.Event) {
			e.Mail.Provider = &inbound.Provider{Name: "ses", MessageID: "o3vr", ReceivedAt: time.Date(2026, 11, 21, 9, 59, 59, 0, time.UTC),
				SPF: inbound.VerdictPass, DKIM: inbound.VerdictGray, DMARC: inbound.VerdictFail, Virus: inbound.VerdictFailed}
		},
		"an IPv4 client":            func(e *sinks.Event) { e.Session.RemoteIP = netip.MustParseAddr("192.0.2.1") },
		"no field is left out":      func(e *sinks.Event) { e.Cut = nil },
		"one without an identity":   func(e *sinks.Event) { e.Identity = [32]byte{} },
		"a path that is no address": func(e *sinks.Event) { e.Mail.ReversePath.Domain = strings.Repeat("x.", 300) + "example" },
	} {
		t.Run(name, func(t *testing.T) {
			e := received(t)
			change(e)
			b := marshal(t, e)
			for i, c := range b {
				if c < ' ' || c > '~' {
					t.Fatalf("octet %d is %#x", i, c)
				}
			}
			got, raw, err := record.Read(b)
			if err != nil {
				t.Fatalf("%v of %s", err, b)
			}
			if raw == nil || !raw.Is(e.Data) || raw.Is(inbound.NewMailData([]byte(text+"x"))) {
				t.Errorf("raw %+v", raw)
			}
			want := *e
			want.Message, want.Data = nil, nil
			if !reflect.DeepEqual(got, &want) {
				t.Errorf("%+v\nwant\n%+v", got, &want)
			}
			if err := record.Complete(got, e.Data); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, e) {
				t.Errorf("complete: %+v\nwant\n%+v", got, e)
			}
		})
	}
}

func TestARecordThatWeCanNotHaveWrittenIsRefused(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"another schema":                func(m map[string]any) { m["schema"] = "mxhook.event.v2" },
		"no id":                         func(m map[string]any) { delete(m, "id") },
		"an id that leads out of a dir": func(m map[string]any) { m["id"] = "msg_../../../../etc/passwd1234" },
		"the id of another event":       func(m map[string]any) { m["id"] = "msg_" + strings.Repeat("a", 26) },
		"no route":                      func(m map[string]any) { m["route"] = "" },
		"a route with a line end":       func(m map[string]any) { m["route"] = "a\r\nX: y" },
		"a hostname with a line end":    func(m map[string]any) { m["hostname"] = "a\nb" },
		"no time":                       func(m map[string]any) { delete(m, "received_at") },
		"half an identity":              func(m map[string]any) { m["identity"] = "abcd" },
		"an identity of no digits":      func(m map[string]any) { m["identity"] = strings.Repeat("x", 64) },
		"an address that is none":       func(m map[string]any) { m["session"].(map[string]any)["remote_ip"] = "300.1.1.1" },
		"a verdict that no provider has": func(m map[string]any) {
			m["envelope"].(map[string]any)["provider"] = map[string]string{"name": "ses", "virus": "none\r\n"}
		},
		"a provider without a name": func(m map[string]any) {
			m["envelope"].(map[string]any)["provider"] = map[string]string{"virus": "pass"}
		},
		"a size below nothing":           func(m map[string]any) { m["envelope"].(map[string]any)["declared_size"] = -1 },
		"ranges that go back":            func(m map[string]any) { m["cut"] = []any{map[string]int{"Start": 9, "End": 3}} },
		"a digest that is none":          func(m map[string]any) { m["raw"].(map[string]any)["sha256"] = "abc" },
		"a result that RFC 8601 has not": func(m map[string]any) { m["results"].(map[string]any)["arc"].(map[string]any)["result"] = "great" },
		"no recipients":                  func(m map[string]any) { m["envelope"].(map[string]any)["recipients"] = nil },
		"a null recipient":               func(m map[string]any) { recipient(m)["address"] = "" },
		"a recipient that is no address": func(m map[string]any) { recipient(m)["address"] = "a b@c" },
		"a recipient with a line end": func(m map[string]any) {
			recipient(m)["address"] = map[string]string{"local_part": "a\r\nb", "domain": "c"}
		},
		"a capture that leads upwards":   func(m map[string]any) { recipient(m)["captures"] = map[string]string{"ticket": ".."} },
		"a capture with a control octet": func(m map[string]any) { recipient(m)["captures"] = map[string]string{"ticket": "a\x00"} },
		"a reverse-path with a line end": func(m map[string]any) {
			m["envelope"].(map[string]any)["reverse_path"] = map[string]string{"domain": "a\nb"}
		},
		"a reverse-path of a domain only": func(m map[string]any) {
			m["envelope"].(map[string]any)["reverse_path"] = map[string]string{"domain": "a"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var m map[string]any
			if err := json.Unmarshal(marshal(t, received(t)), &m); err != nil {
				t.Fatal(err)
			}
			change(m)
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if e, err := record.Unmarshal(b); !errors.Is(err, record.ErrRecord) {
				t.Errorf("%v and %+v of %s", err, e, b)
			}
		})
	}
}

func recipient(m map[string]any) map[string]any {
	return m["envelope"].(map[string]any)["recipients"].([]any)[0].(map[string]any)
}

func TestRangesBeyondTheMessageAreRefused(t *testing.T) {
	e := received(t)
	e.Cut = []sinks.Range{{Start: 0, End: int64(len(text)) + 1}}
	got, err := record.Unmarshal(marshal(t, e))
	if err != nil {
		t.Fatal(err)
	}
	if err := record.Complete(got, e.Data); !errors.Is(err, record.ErrRecord) {
		t.Error(err)
	}
}

// FuzzUnmarshal: whatever is read, nothing panics, and what is taken is written and read
// again as the same.
func FuzzUnmarshal(f *testing.F) {
	f.Add(marshal(f, received(f)))
	f.Add([]byte(`{"schema":"mxhook.event.v1"}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := record.Unmarshal(b)
		if err != nil {
			if e != nil || !errors.Is(err, record.ErrRecord) {
				t.Fatalf("%v, %+v", err, e)
			}
			return
		}
		trace.Fields(e)
		again, err := record.Unmarshal(marshal(t, e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%v: %+v\nwant\n%+v", err, again, e)
		}
	})
}
