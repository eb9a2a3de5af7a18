package cloudmailin_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"reflect"
	"strconv"
	"testing"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/cloudmailin"
	"mxhook/sinks/payload/payloadtest"
)

const plain = "From: Ann <ann@sender.example>\r\nTo: support+42@in.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@sender.example>\r\nX-Two: a\r\nX-Two: b\r\n\r\nHello\r\nyou\r\n"

var envelope = map[string]any{
	"to": "support+42@in.example", "recipients": []any{"support+42@in.example"}, "from": "ann@sender.example", "helo_domain": "mail.sender.example",
	"remote_ip": "192.0.2.1", "tls": true, "spf": map[string]any{"result": "pass", "domain": "sender.example"},
}

func TestJSONOfAPlainMessage(t *testing.T) {
	r, p := payloadtest.Request(t, cloudmailin.New(payload.Include{HTML: true}), payloadtest.Event(t, []byte(plain)))
	if r.Body.ContentType() != "application/json" || len(r.Header) != 0 {
		t.Errorf("%s %v", r.Body.ContentType(), r.Header)
	}
	var m map[string]any
	if err := json.Unmarshal(p, &m); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m["envelope"], envelope) {
		t.Errorf("envelope %v", m["envelope"])
	}
	headers := m["headers"].(map[string]any)
	for name, want := range map[string]any{"return_path": "ann@sender.example", "subject": "Grüße", "message_id": "<1@sender.example>", "x_two": []any{"a", "b"}} {
		if !reflect.DeepEqual(headers[name], want) {
			t.Errorf("%s: %v, want %v", name, headers[name], want)
		}
	}
	if m["plain"] != "Hello\nyou\n" || m["html"] != "" || len(m["attachments"].([]any)) != 0 {
		t.Errorf("%q %q %v", m["plain"], m["html"], m["attachments"])
	}
}

func TestJSONHasTheFilesInline(t *testing.T) {
	e := payloadtest.Example(t, "inline-image.eml")
	_, p := payloadtest.Request(t, cloudmailin.New(payload.Include{}), e)
	var m struct {
		Attachments []struct {
			Content     string
			FileName    string `json:"file_name"`
			Disposition string
			ContentID   string `json:"content_id"`
			Size        string
		}
	}
	if err := json.Unmarshal(p, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Attachments) != len(e.Message.Attachments) || len(m.Attachments) == 0 {
		t.Fatal(len(m.Attachments))
	}
	for i, a := range m.Attachments {
		want := &e.Message.Attachments[i]
		octets, _ := io.ReadAll(want.Open())
		content, err := base64.StdEncoding.DecodeString(a.Content)
		if err != nil || !bytes.Equal(content, octets) || a.FileName != want.Filename || a.Disposition != "inline" || a.ContentID != want.ContentID || a.Size != strconv.Itoa(len(octets)) {
			t.Errorf("%d: %+v %v", i, a, err)
		}
	}
}

func TestMultipartOfAPlainMessage(t *testing.T) {
	fields, files := read(t, payloadtest.Example(t, "inline-image.eml"))
	if len(files) == 0 || files["attachments[0]"] == "" {
		t.Errorf("%d files", len(files))
	}
	for name, want := range map[string]string{
		"envelope[to]": "support+42@in.example", "envelope[recipients][0]": "support+42@in.example", "envelope[spf][result]": "pass", "envelope[tls]": "true",
		"envelope[from]": "ann@sender.example", "headers[return_path]": "ann@sender.example",
	} {
		if fields[name] != want {
			t.Errorf("%s: %q, want %q", name, fields[name], want)
		}
	}
	fields, _ = readData(t, []byte(plain))
	if fields["plain"] != "Hello\r\nyou\r\n" || fields["headers[x_two][0]"] != "a" || fields["headers[x_two][1]"] != "b" {
		t.Errorf("%q %v", fields["plain"], fields)
	}
}

func TestASendersFieldNeverTakesTheKeyOfAnother(t *testing.T) {
	data := []byte("Return_Path: <evil@x.example>\r\nAuthentication_Results: mx.in.example; dmarc=pass\r\n[Return-Path: evil\r\nReturn_Path][0: evil\r\n" +
		"Reply_To: evil@x.example\r\nX_Own: kept\r\n[From: boss@bank.example\r\nReply-To: r@x.example\r\n" + plain)
	_, p := payloadtest.Request(t, cloudmailin.New(payload.Include{HTML: true}), payloadtest.Event(t, data))
	var m struct {
		Headers map[string]any
	}
	if err := json.Unmarshal(p, &m); err != nil {
		t.Fatal(err)
	}
	fields, _ := readData(t, data)
	for name, want := range map[string]string{"return_path": "ann@sender.example", "reply_to": "r@x.example", "x_own": "kept", "from": "Ann <ann@sender.example>"} {
		if m.Headers[name] != want {
			t.Errorf("JSON: %s is %v, want %s", name, m.Headers[name], want)
		}
		if got := fields["headers["+name+"]"]; got != want {
			t.Errorf("multipart: %s is %q, want %s", name, got, want)
		}
	}
	if bytes.Contains(p, []byte("mx.in.example; dmarc=pass")) {
		t.Error("the sender's Authentication_Results stands among the headers")
	}
}

func TestEveryMessageOfTheProjectCanBeRead(t *testing.T) {
	for _, path := range payloadtest.Messages(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e := payloadtest.Event(t, data)
		_, p := payloadtest.Request(t, cloudmailin.New(payload.Include{HTML: true}), e)
		if !json.Valid(p) {
			t.Errorf("%s: not JSON", path)
		}
		_, files := readData(t, data)
		if len(files) != len(e.Message.Attachments) {
			t.Errorf("%s: %d files of %d", path, len(files), len(e.Message.Attachments))
		}
	}
}
