package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"

	"mxhook/cmd/internal/control"
	"mxhook/inbound/message"
)

// sendMessage runs a stored message through the routes to the sinks.
func (r *replay) sendMessage(file string) question {
	return func(ctx context.Context) int {
		content, err := readStored(r.f.t, file)
		if err != nil {
			return r.f.fail("%v", err)
		}
		m := control.Stored{ReversePath: r.from, Recipients: *r.rcpts, RemoteIP: r.ip, HELO: r.helo, Verify: r.verify, Again: r.again}
		r.complete(&m, content)
		if len(m.Recipients) == 0 {
			return r.f.fail("%s names no recipient; give one with --rcpt", file)
		}
		report, err := r.operations.Send(ctx, m, bytes.NewReader(content))
		if err != nil {
			return r.f.fail("%v", err)
		}
		return r.printReport(report)
	}
}

// readStored reads a message as it is: what was kept with a bare LF in it was received
// so. Only a file that has no CRLF at all is text of this system.
func readStored(t *terminal, file string) ([]byte, error) {
	content, err := readFile(t, file)
	if err != nil || bytes.Contains(content, []byte("\r\n")) {
		return content, err
	}
	return withCRLF(content), nil
}

// complete fills the envelope of a stored message where no flag gave it: from the
// trace fields that stand first in what mxhook has kept, Return-Path and
// X-Original-To, or else from From, To, Cc and Bcc.
func (r *replay) complete(m *control.Stored, content []byte) {
	parsed := message.Parse(bytes.NewReader(content), int64(len(content)), message.Options{})
	reversePath, recipients, kept := keptEnvelope(parsed)
	if kept && len(m.Recipients) == 0 {
		m.Recipients = recipients
	}
	header := mailing{from: cmp.Or(m.ReversePath, reversePath), rcpts: m.Recipients}
	r.f.skipped(addressFrom(&header, parsed))
	m.Recipients = header.rcpts
	switch {
	case r.f.given("from"):
	case kept:
		m.ReversePath = reversePath
	default:
		m.ReversePath = header.from
	}
	m.ReversePath = trimAngles(m.ReversePath)
	for i, rcpt := range m.Recipients {
		m.Recipients[i] = trimAngles(rcpt)
	}
}

// keptEnvelope returns the envelope of a message that mxhook has kept: a Return-Path
// first, one X-Original-To for each recipient after it.
func keptEnvelope(m *message.Message) (reversePath string, recipients []string, ok bool) {
	if len(m.Header) == 0 || !strings.EqualFold(m.Header[0].Name, "Return-Path") {
		return "", nil, false
	}
	for _, f := range m.Header[1:] {
		if !strings.EqualFold(f.Name, "X-Original-To") {
			break
		}
		recipients = append(recipients, strings.TrimSpace(f.Value))
	}
	return trimAngles(strings.TrimSpace(m.Header[0].Value)), recipients, len(recipients) > 0
}

func trimAngles(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">") }

// printReport tells what became of a stored message.
func (r *replay) printReport(report control.Report) int {
	status := exitGood
	if !report.Complete {
		status = exitProblem
	}
	if r.json {
		if r.printJSON(report) != exitGood {
			status = exitProblem
		}
		return status
	}
	out := r.f.t.stdout
	fmt.Fprintln(out, printable(report.Reply))
	for _, rcpt := range report.Recipients {
		if !rcpt.Accepted {
			fmt.Fprintf(out, "  %s: %s\n", printable(rcpt.Recipient), printable(rcpt.Reply))
		}
	}
	for _, e := range report.Events {
		fmt.Fprintf(out, "  %s\n", printable(describeOutcome(e)))
	}
	return status
}

func describeOutcome(e control.EventOutcome) string {
	if e.Outcome == control.Known {
		return fmt.Sprintf("%s: %s (%s)", e.Sink, e.Outcome, e.Detail)
	}
	optional := ""
	if e.Optional {
		optional = "optional, "
	}
	s := fmt.Sprintf("%s.%s (%sroute %s, %s): %s", e.ID, e.Sink, optional, e.Route, strings.Join(e.Recipients, ", "), e.Outcome)
	switch {
	case e.Outcome == control.Deferred || e.Outcome == control.Refused:
		s += ", " + withDetail(e.Reply, e.Detail)
	case e.Detail != "":
		s += " (" + e.Detail + ")"
	}
	return s
}
