package actionmailbox_test

import (
	"net/http"
	"strings"
	"testing"

	"mxhook/sinks/payload/actionmailbox"
	"mxhook/sinks/payload/payloadtest"
)

const message = "Return-Path: <forged@x.example>\r\nDelivered-To: other@in.example\r\nFrom: ann@sender.example\r\nSubject: x\r\nMessage-ID: <1@sender.example>\r\n\r\nHello \xff\r\n"

func TestTheMessageHasXOriginalToAndNothingElseBeforeIt(t *testing.T) {
	r, p := payloadtest.Request(t, actionmailbox.New("pass:word"), payloadtest.Event(t, []byte(message)))
	want := "X-Original-To: support+42@in.example\r\n" + message[strings.Index(message, "From:"):]
	if string(p) != want {
		t.Errorf("%q, want %q", p, want)
	}
	if r.Body.ContentType() != "message/rfc822" {
		t.Error(r.Body.ContentType())
	}
	req := http.Request{Header: http.Header{"Authorization": {r.Header["Authorization"]}}}
	if user, password, ok := req.BasicAuth(); !ok || user != "actionmailbox" || password != "pass:word" || len(r.Header) != 1 {
		t.Errorf("%q %q, %v", user, password, r.Header)
	}
}

func TestAResendHasTheSameOctetsWhateverTheTrace(t *testing.T) {
	first := payloadtest.Event(t, []byte(message))
	again := payloadtest.Event(t, []byte(message))
	again.Session.HELO, again.Results, again.ReceivedAt = "other.example", nil, again.ReceivedAt.Add(1e9)
	_, a := payloadtest.Request(t, actionmailbox.New(""), first)
	r, b := payloadtest.Request(t, actionmailbox.New(""), again)
	if string(a) != string(b) || len(r.Header) != 0 {
		t.Errorf("%q\n%q\n%v", a, b, r.Header)
	}
}

func TestSeveralRecipientsAreAnError(t *testing.T) {
	if _, err := actionmailbox.New("x").Encode(t.Context(), payloadtest.Event(t, []byte(message), "a@in.example", "b@in.example")); err == nil {
		t.Error("no error")
	}
}
