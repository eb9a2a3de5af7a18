package payload

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/trace"
	"mxhook/verify"
	"mxhook/verify/authres"
)

// exampleEvent is what the bridge makes of examples/messages/attachment-pdf.eml when
// it comes from where it claims to.
func exampleEvent(t testing.TB) *sinks.Event {
	t.Helper()
	data, err := os.ReadFile("../../examples/messages/attachment-pdf.eml")
	if err != nil {
		t.Fatal(err)
	}
	e := &sinks.Event{
		Route:      "tickets",
		ReceivedAt: time.Date(2026, 11, 21, 10, 0, 0, 123e6, time.UTC),
		Hostname:   "mx.in.example",
		Session: inbound.Session{
			RemoteIP: netip.MustParseAddr("192.0.2.1"), HELO: "mail.sender.example",
			TLS: &inbound.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "mx.in.example"},
		},
		Mail: inbound.Mail{ReversePath: inbound.Path{LocalPart: "ann", Domain: "sender.example"}, Protocol: "ESMTPS"},
		Recipients: []sinks.Recipient{
			{Path: inbound.Path{LocalPart: "support+42", Domain: "in.example"}, Captures: map[string]string{"ticket": "42"}},
		},
		Results: &verify.Results{
			SPF:     verify.SPF{Result: authres.Pass, Domain: "sender.example", Reason: "ip4:192.0.2.0/24 matched", Mechanism: "ip4:192.0.2.0/24"},
			SPFHelo: verify.SPF{Result: authres.None, Domain: "mail.sender.example", Reason: "no SPF record"},
			DKIM: []verify.DKIM{{
				Result: authres.Pass, Domain: "sender.example", Selector: "s1", Algorithm: "rsa-sha256", Aligned: true,
				Identity: "@sender.example", KeyBits: 2048, Oversigned: []string{"from"}, Signed: time.Date(2026, 11, 21, 9, 59, 59, 0, time.UTC),
			}},
			DMARC: verify.DMARC{
				Result: authres.Pass, Domain: "sender.example", PolicyDomain: "sender.example", OrganizationalDomain: "sender.example",
				Policy: "reject", Disposition: "none", SPFAligned: true, DKIMAligned: true,
				AggregateReports: []string{"mailto:dmarc@sender.example"},
			},
			IPRev:        verify.IPRev{Result: authres.Pass, Name: "mail.sender.example", Reason: "the address's name leads back to it"},
			HELO:         verify.HELO{Result: authres.Pass, Name: "mail.sender.example", Reason: "the name leads to the client's address"},
			FromVerified: true, FromVerifiedBy: "dkim",
			FromVerifiedReason: "DMARC passes for sender.example by DKIM, the domain of the one author",
			Header: "mx.in.example; spf=pass reason=\"ip4:192.0.2.0/24 matched\" smtp.mailfrom=ann@sender.example; spf=none reason=\"no SPF record\" smtp.helo=mail.sender.example; " +
				"dkim=pass (2048-bit key) header.d=sender.example header.i=@sender.example header.s=s1 header.a=rsa-sha256 header.b=q0cK1Zxw; " +
				"dmarc=pass (p=reject dis=none) header.from=sender.example policy.dmarc=reject; arc=none; iprev=pass (mail.sender.example) policy.iprev=192.0.2.1",
			ReceivedSPF: `pass (mx.in.example: domain of sender.example designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1; envelope-from="ann@sender.example"; helo=mail.sender.example; receiver=mx.in.example; identity=mailfrom`,
		},
		Data: inbound.NewMailData(data),
	}
	e.Message = message.Parse(e.Data, e.Data.Size(), message.Options{})
	if e.Cut, err = trace.Cut(e.Data, e.Message, func(body string) bool { return authres.Claims(body, e.Hostname) }); err != nil {
		t.Fatal(err)
	}
	identity := sinks.Identity{
		ReversePath: "ann@sender.example", MessageID: e.Message.MessageID, Subject: e.Message.Subject,
		BodySHA256: e.Data.BodySHA256(), Fingerprint: []string{"dkim:sender.example"},
	}
	e.ID = sinks.EventID(identity.Sum(), e.Route, e.Recipients)
	return e
}

func TestExamplePayloadsAreWhatWeWrite(t *testing.T) {
	e := exampleEvent(t)
	raw, err := Raw(e)
	if err != nil {
		t.Fatal(err)
	}
	whole := readAll(t, native1(t, e, Include{HTML: true}))
	validate(t, strictSchema(t), "example", whole)
	golden(t, "mxhook.json", indent(t, whole))
	golden(t, "mxhook-metadata-raw.json", indent(t, readAll(t, native1(t, e, Include{Attachments: "metadata", Raw: "inline", HTML: true}))))
	store := &memory{}
	stored := readAll(t, native1(t, e, Include{Attachments: Stored, AttachmentStore: store, Raw: Stored, RawStore: store, HTML: true}))
	validate(t, strictSchema(t), "stored", stored)
	golden(t, "mxhook-stored.json", indent(t, stored))
	golden(t, "raw.eml", readAll(t, raw))
}

// The kinds of mail whose payload holds more than others, one example each.
func TestExamplePayloadsOfKindsAreWhatWeWrite(t *testing.T) {
	s := strictSchema(t)
	for _, kind := range []string{"bounce-exim-text", "feedback-report-auth-failure", "calendar-zones-twice"} {
		data, err := os.ReadFile("../../examples/messages/" + kind + ".eml")
		if err != nil {
			t.Fatal(err)
		}
		e := exampleEvent(t)
		e.Data = inbound.NewMailData(data)
		e.Message = message.Parse(e.Data, e.Data.Size(), message.Options{})
		e.Mail.ReversePath, e.Cut = inbound.Path{}, nil
		e.Results = &verify.Results{}
		identity := sinks.Identity{MessageID: e.Message.MessageID, Subject: e.Message.Subject, BodySHA256: e.Data.BodySHA256()}
		e.ID = sinks.EventID(identity.Sum(), e.Route, e.Recipients)
		p := readAll(t, native1(t, e, Include{HTML: true, Attachments: "metadata"}))
		validate(t, s, kind, p)
		golden(t, "mxhook-"+kind+".json", indent(t, p))
	}
}

func indent(t testing.TB, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, p, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("../../examples/payloads", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; go test ./sinks/payload -update writes it\n%s", file, got)
	}
}
