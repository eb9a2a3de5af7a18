package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mxhook/cmd/internal/control"
	"mxhook/sinks/spool"
)

// printList prints what the spool holds, as it comes.
func (r *replay) printList(ctx context.Context) int {
	out := bufio.NewWriter(r.f.t.stdout)
	defer out.Flush()
	print, end := r.table(out)
	if r.json {
		print, end = jsonList(out)
	}
	listed := 0
	counted := func(i spool.Item) error { listed++; return print(i) }
	if err := r.operations.List(ctx, r.filter(), counted); err != nil {
		out.Flush()
		return r.f.fail("%v", err)
	}
	end()
	if err := out.Flush(); err != nil {
		return r.f.fail("%v", err)
	}
	if names := r.sinkNames(); listed == 0 && r.sink != "" && len(names) > 0 && !slices.Contains(names, r.sink) {
		return r.f.wrong("--sink %s: the configuration has no such sink; it has %s", r.sink, strings.Join(names, ", "))
	}
	return exitGood
}

// sinkNames are those of the configuration that was named; a sink that is gone from it may
// still have events.
func (r *replay) sinkNames() (names []string) {
	if *r.file == "" {
		return nil
	}
	for _, s := range r.config.Sinks {
		names = append(names, s.Name)
	}
	return names
}

// jsonList prints one document: {"events": […]}, an event a line.
func jsonList(out io.Writer) (print func(spool.Item) error, end func()) {
	separator := `{"events": [` + "\n"
	print = func(i spool.Item) error {
		text, err := json.Marshal(i)
		if err == nil {
			_, err = fmt.Fprintf(out, "%s%s", separator, text)
		}
		separator = ",\n"
		return err
	}
	end = func() {
		if separator != ",\n" {
			fmt.Fprint(out, `{"events": [`)
		}
		fmt.Fprint(out, "\n]}\n")
	}
	return print, end
}

// table prints a line for each event. The columns are as wide as the configuration's
// names, so that a line need not wait for the next.
func (r *replay) table(out io.Writer) (print func(spool.Item) error, end func()) {
	wide := len("EVENT") - len("msg_") - 27
	for _, s := range r.config.Sinks {
		wide = max(wide, len(s.Name))
	}
	row := fmt.Sprintf("%%-%ds  %%-7s  %%-16s  %%5s  %%-8s  %%s\n", len("msg_")+27+wide)
	counts := map[spool.State]int{}
	now := time.Now()
	print = func(i spool.Item) error {
		if len(counts) == 0 {
			fmt.Fprintf(out, row, "EVENT", "STATE", "SINCE", "TRIES", "NEXT", "RECIPIENTS AND REASON")
		}
		counts[i.State]++
		_, err := fmt.Fprintf(out, row, printable(i.ID), printable(string(i.State)), sinceOf(i).Local().Format("2006-01-02 15:04"),
			strconv.Itoa(i.Attempts), nextOf(i, now), recipientsOf(i.Recipients)+": "+reasonOf(i))
		return err
	}
	end = func() {
		if len(counts) == 0 {
			fmt.Fprintln(out, "the spool holds no event"+r.narrowed())
			return
		}
		fmt.Fprintf(out, "%s, %s\n", count(counts[spool.Dead], "dead event"), count(counts[spool.Waiting], "waiting event"))
	}
	return print, end
}

func (r *replay) narrowed() string {
	switch {
	case r.filter() == control.Filter{}:
		return ""
	case r.sink == "":
		return " that is " + r.state
	case r.state == "":
		return " for the sink " + r.sink
	}
	return " for the sink " + r.sink + " that is " + r.state
}

// sinceOf returns since when an event is where it is.
func sinceOf(i spool.Item) time.Time {
	if i.State == spool.Dead {
		return i.BuriedAt
	}
	return i.SpooledAt
}

func nextOf(i spool.Item, now time.Time) string {
	switch {
	case i.State == spool.Dead:
		return "-"
	case i.Delivering:
		return "running"
	case !i.NextAttempt.After(now):
		return "now"
	}
	return "in " + roughly(i.NextAttempt.Sub(now))
}

// roughly writes a duration in its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())+1) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d"
}

func recipientsOf(all []string) string {
	if len(all) == 0 {
		return "-"
	}
	s := printable(all[0])
	if len(all) > 1 {
		s += fmt.Sprintf(" +%d", len(all)-1)
	}
	return s
}

// reasonOf says in words why an event is where it is.
func reasonOf(i spool.Item) string {
	if i.Reply == "" && i.Detail == "" {
		return "not tried yet"
	}
	return printable(withDetail(i.Reply, i.Detail))
}

func withDetail(reply, detail string) string {
	switch {
	case detail == "":
		return reply
	case reply == "":
		return detail
	}
	return reply + " (" + detail + ")"
}

// printChanged tells what became of the events. The exit status is bad when one of
// them could not be found or changed.
func (r *replay) printChanged(c control.Changed, dead, waiting string) int {
	status := exitGood
	if len(c.Failed) > 0 {
		status = exitProblem
	}
	if r.json {
		r.printJSON(c)
		return status
	}
	for _, f := range c.Failed {
		r.f.fail("%s: %s", f.Name, f.Error)
	}
	if c.Dead+c.Waiting == 0 && len(c.Failed) == 0 {
		fmt.Fprintln(r.f.t.stdout, "the spool holds no event"+r.narrowed())
		return status
	}
	if c.Dead > 0 {
		fmt.Fprintf(r.f.t.stdout, "%s: %s\n", dead, count(c.Dead, "dead event"))
	}
	if c.Waiting > 0 {
		fmt.Fprintf(r.f.t.stdout, "%s: %s\n", waiting, count(c.Waiting, "waiting event"))
	}
	if !c.Working && c.Dead+c.Waiting > 0 {
		fmt.Fprintln(r.f.t.stdout, "mxhook serve is not running; it delivers them when it starts")
	}
	return status
}

func (r *replay) printJSON(value any) int {
	out := json.NewEncoder(r.f.t.stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(value); err != nil {
		return r.f.fail("%v", errors.New("the output can't be written"))
	}
	return exitGood
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// printable makes what a peer wrote safe for a terminal: what is not to be seen is
// written as an escape sequence.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
