package senders

import (
	"regexp"
	"strings"
	"testing"
)

// trace is what the bridge puts before a message, and nothing else.
var trace = regexp.MustCompile(`^((Return-Path|X-Original-To|Authentication-Results|Received-SPF|Received): [^\r\n]*\r\n([ \t][^\r\n]*\r\n)*)+$`)

// check compares what arrived with what was handed to the sender, and, where the wire
// was in clear, octet for octet with what the sender sent.
func check(t *testing.T, m mail, copies, wired []string, secure bool) {
	t.Helper()
	if len(copies) != 1 {
		t.Errorf("%s arrived %d times", m.name, len(copies))
		return
	}
	header, body, _ := strings.Cut(copies[0], "\r\n\r\n")
	wantHeader, wantBody, _ := strings.Cut(m.text, "\r\n\r\n")
	if body != wantBody {
		t.Errorf("%s: the body has changed: %d octets %.300q, want %d %.300q", m.name, len(body), body, len(wantBody), wantBody)
	}
	for line := range strings.SplitSeq(wantHeader, "\r\n") {
		if name, value, _ := strings.Cut(line, ": "); name != "From" && name != "To" && field(copies[0], name) != value { // systems write addresses in their own way
			t.Errorf("%s: %s is %q", m.name, line, field(copies[0], name))
		}
	}
	if secure != strings.Contains(header, "\r\n TLS1.") && secure != strings.Contains(header, "(using TLS1.") {
		t.Errorf("%s: TLS %v, but %s", m.name, secure, header)
	}
	if wired == nil {
		return
	}
	for _, w := range wired {
		if before, ok := strings.CutSuffix(copies[0], w); ok && trace.MatchString(before) {
			return
		}
	}
	t.Errorf("%s: none of %d messages on the wire is what arrived:\n%.2000s", m.name, len(wired), copies[0])
}
