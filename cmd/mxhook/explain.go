package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mxhook/cmd/internal/bridge"
	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/routing"
)

// runExplain tells, offline, which route each recipient takes and why.
func runExplain(_ context.Context, t *terminal, args []string) int {
	f := newFlags(t, "explain")
	file := f.config()
	from := f.String("from", "", "the reverse-path `ADDR`; by default the null reverse-path")
	stored := f.String("message", "", "decide the conditions of routes by this message, a `FILE`, as far as they need no DNS")
	rcpts, exit, ok := f.parse(args, 1, -1)
	if !ok {
		return exit
	}
	if *file == "" {
		fmt.Fprintln(t.stderr, "mxhook explain: which configuration? Name it with --config FILE")
		return exitUsage
	}
	c, good := loadConfig(t, *file, t.stderr)
	if !good {
		return exitProblem
	}
	if len(c.Routes) == 0 {
		return f.fail("%s, whoever the recipient is", noRoutes(c))
	}
	reversePath, err := inbound.ParsePath(strings.Trim(*from, "<>"), true)
	if err != nil {
		return f.fail("--from %q: %v", *from, err)
	}
	table, faults := routing.Compile(c.Routes, routing.Options{Hostname: c.Hostname})
	if len(faults) > 0 && table == nil {
		return f.fail("%s", faults[0].Text)
	}
	var facts *routing.Facts
	if *stored != "" {
		content, err := readMessage(t, *stored)
		if err != nil {
			return f.fail("%v", err)
		}
		known, err := bridge.OfflineFacts(c.Hostname, content)
		if err != nil {
			return f.fail("%s: %v", *stored, err)
		}
		facts = &known
	}
	for i, rcpt := range rcpts {
		if i > 0 {
			fmt.Fprintln(t.stdout)
		}
		explain(t, table, reversePath, rcpt, facts)
	}
	return exitGood
}

func explain(t *terminal, table *routing.Table, reversePath inbound.Path, rcpt string, facts *routing.Facts) {
	path, err := inbound.ParsePath(strings.Trim(rcpt, "<>"), true)
	if err != nil {
		fmt.Fprintf(t.stdout, "%s: %v: the reply is %s\n", rcpt, err, status.BadForwardPath.Reply())
		return
	}
	fmt.Fprintf(t.stdout, "%s\n", rcpt)
	for _, step := range table.Explain(reversePath, path) {
		fmt.Fprintf(t.stdout, "  route %s: %s\n", step.Rule.Name, step.Text)
	}
	d := table.Recipient(reversePath, path)
	if d.Err != nil {
		fmt.Fprintf(t.stdout, "  => refused: %s\n", status.ReplyOf(d.Err))
		return
	}
	switch {
	case !d.Conditional():
		for _, m := range d.Candidates {
			fmt.Fprintf(t.stdout, "  => %s\n", describeMatch(m))
		}
		return
	case facts == nil:
		fmt.Fprintln(t.stdout, "  => accepted at RCPT; the message decides, see --message:")
	default:
		explainFindings(t, d, *facts)
		fmt.Fprintln(t.stdout, "  => accepted at RCPT; after the data:")
	}
	for _, outcome := range outcomes(d, facts) {
		fmt.Fprintf(t.stdout, "     %s\n", outcome)
	}
}

// explainFindings tells of each condition whether it holds.
func explainFindings(t *terminal, d routing.Decision, facts routing.Facts) {
	for _, m := range d.Candidates {
		for _, n := range m.Findings(facts) {
			answer := map[routing.Truth]string{routing.Yes: "yes", routing.No: "no, " + n.Found, routing.Open: "not known offline, see inspect --verify"}[n.Truth]
			fmt.Fprintf(t.stdout, "  route %s: %s: %s\n", m.Rule.Name, n.Text, answer)
		}
	}
}

// outcomes lists what may become of a recipient, in order. Without facts every condition
// is open.
func outcomes(d routing.Decision, facts *routing.Facts) (list []string) {
	otherwise := ""
	taken := false
	for _, m := range d.Candidates {
		holds := routing.Yes
		switch {
		case facts != nil:
			holds = m.Holds(*facts)
		case m.Conditional():
			holds = routing.Open
		}
		if holds == routing.No {
			continue
		}
		text := otherwise + describeMatch(m)
		if holds == routing.Open {
			text = otherwise + "if " + m.Conditions() + ": " + describeMatch(m)
		}
		list = append(list, text)
		goesOn := m.Rule.Reject == nil && m.Rule.Continue
		if holds == routing.Yes && !goesOn {
			return list
		}
		taken = taken || holds == routing.Yes
		otherwise = map[bool]string{true: "and ", false: "otherwise "}[goesOn]
	}
	switch last, ok := d.LastResort(); {
	case taken:
		return list
	case ok:
		return append(list, otherwise+describeMatch(last)+", since postmaster is always accepted")
	}
	return append(list, "taken by none: refused with "+status.ConditionsNotMet.Reply().String())
}

func describeMatch(m routing.Match) string {
	s := "route " + m.Rule.Name
	if m.Rule.Asks && !strings.EqualFold(m.Path.LocalPart, "postmaster") {
		s += ", if its accept url says yes"
	}
	switch {
	case m.Rule.Reject != nil:
		return s + ", refused with " + m.Rule.Reject.String()
	case m.Rule.Discard:
		s += ", accepted and discarded"
	default:
		s += ", delivered to " + strings.Join(m.Rule.Deliver, ", ")
	}
	switch {
	case m.Rule.Spool:
		s += " by the spool"
	case m.Rule.SpillAfter > 0:
		s += fmt.Sprintf(", by the spool after %s of deferrals", m.Rule.SpillAfter)
	}
	if len(m.Rule.Optional) > 0 {
		s += ", optionally to " + strings.Join(m.Rule.Optional, ", ")
	}
	for _, name := range slices.Sorted(maps.Keys(m.Captures)) {
		s += fmt.Sprintf(", %s=%q", name, m.Captures[name])
	}
	return s
}
