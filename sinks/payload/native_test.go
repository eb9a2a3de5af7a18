package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/verify/authres"
)

func native1(t testing.TB, e *sinks.Event, inc Include) *Body {
	t.Helper()
	b, err := Native(t.Context(), e, inc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll reads b and holds it to its promises: size, type, the same again.
func readAll(t testing.TB, b *Body) []byte {
	t.Helper()
	p, err := io.ReadAll(b.Open())
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(p)) != b.Size() {
		t.Fatalf("Size is %d, %d octets came", b.Size(), len(p))
	}
	if again, err := io.ReadAll(b.Open()); err != nil || !bytes.Equal(again, p) {
		t.Fatalf("the second reading is another one (%v)", err)
	}
	return p
}

// decode reads a native payload back.
func decode(t testing.TB, p []byte) native {
	t.Helper()
	var n native
	d := json.NewDecoder(bytes.NewReader(p))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		t.Fatalf("%v\n%.2000s", err, p)
	}
	return n
}

func decodeNative(t testing.TB, e *sinks.Event, inc Include) native {
	t.Helper()
	b := native1(t, e, inc)
	if b.ContentType() != "application/json" {
		t.Errorf("content type %q", b.ContentType())
	}
	return decode(t, readAll(t, b))
}

func TestNativeOfLittleIsEmptyAndValid(t *testing.T) {
	p := readAll(t, native1(t, bareEvent(), Include{}))
	validate(t, strictSchema(t), "bare event", p)
	for _, want := range []string{
		`"received_at":"0001-01-01T00:00:00.000Z"`, `"reverse_path":""`, `"tls":null`, `"user":null`, `"remote_ip":""`, `"remote_name":""`,
		`{"address":"postmaster","local_part":"postmaster","domain":"","user":"postmaster","tag":"","captures":{}}`,
		`"spf":{"result":"none","domain":"","reason":"","mechanism":"","explanation":"","dnssec":false}`, `"dkim":[]`, `"disposition":"none"`,
		`"aggregate_reports":[],"failure_reports":[],"testing":false,"dnssec":false}`, `"iprev":{"result":"none","name":"","reason":""},"helo":{"result":"none","name":"","reason":""}`,
		`"from_verified_by":"","from_verified_reason":"","header":""`,
		`"date":null`, `"from":[],"sender":null,"reply_to":[]`, `"in_reply_to":[],"references":[],"headers":[]`, `"text":"","html":""`,
		`"attachments":[],"class":"normal","automatic":{"auto_submitted":"no","precedence":"","reason":""}`,
		`"bounce":null,"feedback_report":null,"calendar":[],"security":{"signed":"none","encrypted":"none"},"defects":[]`,
		`"content":null,"url":null}}`,
	} {
		if !bytes.Contains(p, []byte(want)) {
			t.Errorf("no %s in\n%s", want, p)
		}
	}
}

func TestNativeTellsTheEnvelope(t *testing.T) {
	e := fullEvent(same)
	e.Recipients = append(e.Recipients,
		sinks.Recipient{Path: inbound.Path{LocalPart: "+x", Domain: "in.example"}},
		sinks.Recipient{Path: inbound.Path{LocalPart: "x+", Domain: "IN.example"}},
		sinks.Recipient{Path: inbound.Path{LocalPart: "grün", Domain: "in.example"}})
	env := decodeNative(t, e, Include{}).Envelope
	for i, want := range []recipient{
		{"support+42+7@in.example", "support+42+7", "in.example", "support", "42+7", map[string]string{"ticket": "42", "b": "c"}},
		{`"odd one"@in.example`, "odd one", "in.example", "odd one", "", nil},
		{"+x@in.example", "+x", "in.example", "", "x", nil},
		{"x+@IN.example", "x+", "IN.example", "x", "", nil},
		{"grün@in.example", "grün", "in.example", "grün", "", nil},
	} {
		got := env.Recipients[i]
		if got.Address != want.Address || got.LocalPart != want.LocalPart || got.Domain != want.Domain || got.User != want.User || got.Tag != want.Tag {
			t.Errorf("recipient %d: %+v, want %+v", i, got, want)
		}
		if len(got.Captures) != len(want.Captures) || got.Captures["ticket"] != want.Captures["ticket"] {
			t.Errorf("recipient %d: captures %v, want %v", i, got.Captures, want.Captures)
		}
	}
	if env.RemoteIP != "192.0.2.1" || env.RemoteName != "mail.sender.example" || *env.User != "scanner" || env.TLS.Version != "TLS 1.3" {
		t.Errorf("%+v", env)
	}
	if env.Size != e.Data.Size() {
		t.Errorf("size %d, want %d", env.Size, e.Data.Size())
	}
}

func TestRemoteNameIsTheConfirmedOne(t *testing.T) {
	for _, result := range []authres.Result{authres.Fail, authres.None, authres.TempError, ""} {
		e := fullEvent(same)
		e.Results.IPRev.Result = result
		if got := decodeNative(t, e, Include{}).Envelope.RemoteName; got != "" {
			t.Errorf("iprev %s: remote_name %q", result, got)
		}
	}
}

func TestRemoteIPHasNoZone(t *testing.T) {
	e := bareEvent()
	e.Session.RemoteIP = netip.MustParseAddr("fe80::1%eth0")
	p := readAll(t, native1(t, e, Include{}))
	validate(t, strictSchema(t), "zone", p)
	if got := decode(t, p).Envelope.RemoteIP; got != "fe80::1" {
		t.Errorf("remote_ip %q", got)
	}
}

func TestTimesAreUTC(t *testing.T) {
	n := decodeNative(t, fullEvent(same), Include{})
	if n.ReceivedAt != "2026-11-21T10:00:00.123Z" || *n.Message.Date != "2026-11-21T09:59:58Z" {
		t.Errorf("received_at %s, date %s", n.ReceivedAt, *n.Message.Date)
	}
}

func TestADateThatCannotBeSaidIsNull(t *testing.T) {
	for _, d := range []time.Time{
		{}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got := dateOf(d); got != nil {
			t.Errorf("%v: %s", d, *got)
		}
	}
}

func TestIncludeSaysWhatIsCarried(t *testing.T) {
	e := fullEvent(same)
	file, _ := io.ReadAll(e.Message.Attachments[0].Open())
	frozen, _ := io.ReadAll(e.Data.Open())
	s := strictSchema(t)
	for _, c := range []struct {
		inc                 Include
		content, raw, htmlz any
	}{
		{Include{}, base64.StdEncoding.EncodeToString(file), nil, ""},
		{Include{Attachments: "inline", Raw: "none", HTML: true}, base64.StdEncoding.EncodeToString(file), nil, e.Message.HTML},
		{Include{Attachments: "metadata"}, nil, nil, ""},
		{Include{Attachments: "metadata", Raw: "inline", HTML: true}, nil, base64.StdEncoding.EncodeToString(frozen), e.Message.HTML},
		{Include{Attachments: "inline", Raw: "inline"}, base64.StdEncoding.EncodeToString(file), base64.StdEncoding.EncodeToString(frozen), ""},
	} {
		p := readAll(t, native1(t, e, c.inc))
		validate(t, s, "include", p)
		n := decode(t, p)
		if len(n.Message.Attachments) != 2 {
			t.Fatalf("%+v: %d attachments", c.inc, len(n.Message.Attachments))
		}
		for _, a := range n.Message.Attachments {
			if a.Content != c.content || a.Size != int64(len(file)) {
				t.Errorf("%+v: content %v, size %d", c.inc, a.Content, a.Size)
			}
		}
		if n.Raw.Content != c.raw || n.Message.HTML != c.htmlz {
			t.Errorf("%+v: raw %v, html %v", c.inc, n.Raw.Content, n.Message.HTML)
		}
	}
}

func TestAnIncludeThatCantBeServedIsRefused(t *testing.T) {
	for _, inc := range []Include{{Attachments: Stored}, {Raw: Stored}, {Attachments: "store:archive"}, {Raw: "metadata"}, {Attachments: "none"}} {
		if _, err := Native(t.Context(), bareEvent(), inc); err == nil || !strings.Contains(err.Error(), "without a store") {
			t.Errorf("%+v: %v", inc, err)
		}
	}
}

func TestAnIncompleteEventIsAnError(t *testing.T) {
	noMessage, noData := bareEvent(), bareEvent()
	noMessage.Message, noData.Data = nil, nil
	for name, e := range map[string]*sinks.Event{"nil": nil, "no message": noMessage, "no data": noData} {
		if _, err := Native(t.Context(), e, Include{}); err == nil {
			t.Errorf("%s: Native takes it", name)
		}
		if _, err := Raw(e); err == nil {
			t.Errorf("%s: Raw takes it", name)
		}
	}
}

func TestAReleasedMessageIsAnErrorNotAShortBody(t *testing.T) {
	e := fullEvent(same)
	body := native1(t, e, Include{Raw: "inline"})
	raw, err := Raw(e)
	if err != nil {
		t.Fatal(err)
	}
	e.Data.Release()
	for name, b := range map[string]*Body{"native": body, "raw": raw} {
		if p, err := io.ReadAll(b.Open()); err == nil {
			t.Errorf("%s: %d octets of %d and no error", name, len(p), b.Size())
		}
	}
}

func TestUnknownDispositionIsAttachment(t *testing.T) {
	e := bareEvent()
	for _, d := range []string{"", "form-data", "inline", "attachment"} {
		e.Message.Attachments = append(e.Message.Attachments, message.Attachment{Disposition: d}.WithContent(open(nil)))
	}
	var got []string
	for _, a := range decodeNative(t, e, Include{}).Message.Attachments {
		got = append(got, a.Disposition)
	}
	if want := []string{"attachment", "attachment", "inline", "attachment"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestTimesOfASignatureAreThoseItHas(t *testing.T) {
	e := fullEvent(same)
	for _, c := range []struct {
		rule            string
		signed, expires time.Time
		want            string
	}{
		{"both", time.Unix(1_790_000_000, 0), time.Unix(1_800_000_000, 0), `"signed_at":"2026-09-21T14:13:20Z","expires_at":"2027-01-15T08:00:00Z"`},
		{"none", time.Time{}, time.Time{}, `"signed_at":null,"expires_at":null`},
		{"1970", time.Unix(0, 0), time.Unix(1, 0), `"signed_at":"1970-01-01T00:00:00Z","expires_at":"1970-01-01T00:00:01Z"`},
		{"beyond the year 9999", time.Unix(1e12, 0), time.Unix(1e12, 0), `"signed_at":null,"expires_at":null`},
	} {
		e.Results.DKIM[0].Signed, e.Results.DKIM[0].Expires = c.signed, c.expires
		p := readAll(t, native1(t, e, Include{}))
		validate(t, strictSchema(t), c.rule, p)
		if !bytes.Contains(p, []byte(c.want)) {
			t.Errorf("%s: no %s in\n%s", c.rule, c.want, p)
		}
	}
}
