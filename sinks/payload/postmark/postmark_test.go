package postmark_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/payloadtest"
	"mxhook/sinks/payload/postmark"
)

const plain = "From: \"Ann \\\"A\\\" B\" <ann@sender.example>\r\nTo: Support <support+42@in.example>, bob@other.example\r\nReply-To: ann@home.example\r\n" +
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Sat, 21 Nov 2026 10:59:58 +0100\r\nMessage-ID: <1@sender.example>\r\nX-Two: a\r\nX-Two: b\r\n\r\nHello\r\n"

// decoded is the payload as a receiver sees it: what is not in it stays out.
type decoded map[string]any

func decode(t *testing.T, p []byte) decoded {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(p))
	var m decoded
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v: %s", err, p)
	}
	return m
}

func full() payload.Format { return postmark.New(payload.Include{HTML: true}) }

func TestFieldsOfAPlainMessage(t *testing.T) {
	r, p := payloadtest.Request(t, full(), payloadtest.Event(t, []byte(plain)))
	if r.Body.ContentType() != "application/json" || len(r.Header) != 0 {
		t.Errorf("%s, %v", r.Body.ContentType(), r.Header)
	}
	m := decode(t, p)
	for key, want := range map[string]any{
		"FromName": `Ann "A" B`, "From": "ann@sender.example", "MessageStream": "inbound", "To": `"Support" <support+42@in.example>, bob@other.example`,
		"Cc": "", "Bcc": "", "OriginalRecipient": "support+42@in.example", "Subject": "Grüße", "ReplyTo": "ann@home.example", "MailboxHash": "42",
		"Date": "Sat, 21 Nov 2026 10:59:58 +0100", "TextBody": "Hello\n", "HtmlBody": "", "Tag": "",
	} {
		if m[key] != want {
			t.Errorf("%s: %q, want %q", key, m[key], want)
		}
	}
	to := m["ToFull"].([]any)[0].(map[string]any)
	if to["Email"] != "support+42@in.example" || to["Name"] != "Support" || to["MailboxHash"] != "42" {
		t.Errorf("ToFull %v", to)
	}
	if id := m["MessageID"].(string); len(id) != 36 || strings.Contains(id, "@") {
		t.Errorf("MessageID %q", id)
	}
	if _, ok := m["RawEmail"]; ok {
		t.Error("RawEmail without being asked for")
	}
}

func TestHeadersKeepOrderAndRepeatsWithoutThoseThatStandApart(t *testing.T) {
	_, p := payloadtest.Request(t, full(), payloadtest.Event(t, []byte(plain)))
	var names []string
	for _, h := range decode(t, p)["Headers"].([]any) {
		names = append(names, h.(map[string]any)["Name"].(string))
	}
	if got, want := strings.Join(names, " "), "Return-Path X-Original-To Authentication-Results Received-SPF Received Message-ID X-Two X-Two"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestASendersVerdictOnSpamIsNotAmongTheHeaders(t *testing.T) {
	_, p := payloadtest.Request(t, full(), payloadtest.Event(t, []byte("X-Spam-Status: No\r\nX-SPAM-SCORE: -9\r\nX-Spam-Tests: a\r\nX-Spam-Checker-Version: b\r\nX-Spam: kept\r\n"+plain)))
	var names []string
	for _, h := range decode(t, p)["Headers"].([]any) {
		if name := h.(map[string]any)["Name"].(string); strings.HasPrefix(strings.ToLower(name), "x-spam") {
			names = append(names, name)
		}
	}
	if got := strings.Join(names, " "); got != "X-Spam" {
		t.Errorf("%s", got)
	}
}

func TestARecipientWhomNoFieldNamesIsBcc(t *testing.T) {
	_, p := payloadtest.Request(t, full(), payloadtest.Event(t, []byte(plain), "hidden+x@in.example"))
	m := decode(t, p)
	if bcc := m["BccFull"].([]any); m["Bcc"] != "hidden+x@in.example" || len(bcc) != 1 || bcc[0].(map[string]any)["MailboxHash"] != "x" {
		t.Errorf("%v %v", m["Bcc"], m["BccFull"])
	}
}

func TestAttachmentsAndRawEmail(t *testing.T) {
	e := payloadtest.Example(t, "inline-image.eml")
	_, p := payloadtest.Request(t, postmark.New(payload.Include{HTML: true, Raw: "inline"}), e)
	m := decode(t, p)
	list := m["Attachments"].([]any)
	if len(list) != len(e.Message.Attachments) || len(list) == 0 {
		t.Fatalf("%d attachments", len(list))
	}
	for i, x := range list {
		a, want := x.(map[string]any), &e.Message.Attachments[i]
		content, err := base64.StdEncoding.DecodeString(a["Content"].(string))
		octets, _ := io.ReadAll(want.Open())
		if err != nil || !bytes.Equal(content, octets) || a["ContentLength"] != float64(want.Size) || a["Name"] != want.Filename ||
			a["ContentType"] != want.ContentType || a["ContentID"] != want.ContentID {
			t.Errorf("attachment %d: %v %v", i, a, err)
		}
	}
	raw, _ := payload.Raw(e)
	if string(payloadtest.Read(t, raw)) != m["RawEmail"] {
		t.Error("RawEmail is not the raw copy")
	}
	_, p = payloadtest.Request(t, postmark.New(payload.Include{Attachments: "metadata"}), e)
	if m := decode(t, p); len(m["Attachments"].([]any)) != 0 || m["HtmlBody"] != "" {
		t.Error("what include leaves out is there")
	}
}

func TestEveryMessageOfTheProjectHasAllKeys(t *testing.T) {
	for _, file := range payloadtest.Messages(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, p := payloadtest.Request(t, postmark.New(payload.Include{HTML: true, Raw: "inline"}), payloadtest.Event(t, data))
		m := decode(t, p)
		for _, key := range []string{"FromName", "MessageStream", "From", "FromFull", "To", "ToFull", "Cc", "CcFull", "Bcc", "BccFull", "OriginalRecipient", "Subject",
			"MessageID", "ReplyTo", "MailboxHash", "Date", "TextBody", "HtmlBody", "StrippedTextReply", "RawEmail", "Tag", "Headers", "Attachments"} {
			if v, ok := m[key]; !ok || v == nil {
				t.Errorf("%s: %s is missing", file, key)
			}
		}
	}
}
