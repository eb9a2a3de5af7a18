package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/routing"
)

// runExplain tells, offline, which route each recipient takes and why.
func runExplain(_ context.Context, t *terminal, args []string) int {
	f := newFlags(t, "explain")
	file := f.config()
	from := f.String("from", "", "the reverse-path `ADDR`; by default the null reverse-path")
	f.laterValue("message", "decide conditions on this message, a `FILE`")
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
	reversePath, err := inbound.ParsePath(strings.Trim(*from, "<>"), true)
	if err != nil {
		return f.fail("--from %q: %v", *from, err)
	}
	table, faults := routing.Compile(c.Routes, routing.Options{Hostname: c.Hostname})
	if len(faults) > 0 && table == nil {
		return f.fail("%s", faults[0].Text)
	}
	for i, rcpt := range rcpts {
		if i > 0 {
			fmt.Fprintln(t.stdout)
		}
		explain(t, table, reversePath, rcpt)
	}
	return exitGood
}

func explain(t *terminal, table *routing.Table, reversePath inbound.Path, rcpt string) {
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
	for _, m := range d.Candidates {
		fmt.Fprintf(t.stdout, "  => %s\n", describeMatch(m))
	}
}

func describeMatch(m routing.Match) string {
	s := "route " + m.Rule.Name
	if m.Rule.Asks && !strings.EqualFold(m.Path.LocalPart, "postmaster") {
		s += ", if its accept url says yes"
	}
	if m.Rule.Discard {
		s += ", accepted and discarded"
	} else {
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
