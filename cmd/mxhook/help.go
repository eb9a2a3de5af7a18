package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

func printHelp(w io.Writer) {
	fmt.Fprint(w, "mxhook turns inbound mail into webhooks.\n\nUsage: mxhook COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-25s%s\n", c.name+" "+c.argument, c.summary)
	}
	fmt.Fprint(w, "\n`mxhook help COMMAND` lists a command's flags.\n")
}

// runHelp prints the list of commands, or the flags of one.
func runHelp(ctx context.Context, t *terminal, args []string) int {
	if len(args) == 0 {
		printHelp(t.stdout)
		return exitGood
	}
	help := *t
	help.stderr = t.stdout
	for _, c := range commands() {
		if c.name == args[0] {
			c.run(ctx, &help, []string{"--help"})
			return exitGood
		}
	}
	return run(ctx, t, args[:1])
}

// flags is a command's flag set. Flags may stand before, between and after the
// positional arguments.
type flags struct {
	*flag.FlagSet
	t *terminal
}

func newFlags(t *terminal, name string) *flags {
	f := &flags{flag.NewFlagSet(name, flag.ContinueOnError), t}
	f.SetOutput(t.stderr)
	f.Usage = func() { f.usage() }
	return f
}

func (f *flags) usage() {
	if f.t.describe != nil {
		f.t.describe(f.FlagSet)
		return
	}
	for _, c := range commands() {
		if c.name == f.Name() {
			fmt.Fprintf(f.t.stderr, "Usage: mxhook %s\n\n%s\n", strings.TrimSpace(c.name+" [flags] "+c.argument), c.summary)
		}
	}
	first := true
	f.VisitAll(func(fl *flag.Flag) {
		if first {
			fmt.Fprint(f.t.stderr, "\nFlags:\n")
			first = false
		}
		argument, usage := flag.UnquoteUsage(fl)
		dashes := "--"
		if len(fl.Name) == 1 {
			dashes = "-"
		}
		fmt.Fprintf(f.t.stderr, "  %-21s %s\n", dashes+fl.Name+" "+argument, usage)
	})
}

// config adds -c and --config.
func (f *flags) config() *string {
	file := f.String("config", "", "the configuration `FILE`")
	f.StringVar(file, "c", "", "the same as --config `FILE`")
	return file
}

// repeated adds a flag that may be given several times.
func (f *flags) repeated(name, usage string) *[]string {
	var values []string
	f.Func(name, usage, func(s string) error {
		values = append(values, s)
		return nil
	})
	return &values
}

// parse returns the positional arguments. When ok is false, the command ends with
// the status: help was asked for, or the usage is wrong, which parse has printed.
// At most max arguments are taken; a negative max takes any number.
func (f *flags) parse(args []string, min, max int) (positional []string, status int, ok bool) {
	var rest []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, rest = args[:i], args[i+1:]
	}
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, exitGood, false
		} else if err != nil {
			return nil, exitUsage, false
		}
		if args = f.Args(); len(args) == 0 {
			break
		}
		positional, args = append(positional, args[0]), args[1:]
	}
	positional = append(positional, rest...)
	switch {
	case len(positional) < min:
		fmt.Fprintf(f.t.stderr, "mxhook %s: an argument is missing\n", f.Name())
	case max >= 0 && len(positional) > max:
		fmt.Fprintf(f.t.stderr, "mxhook %s: unexpected argument %q\n", f.Name(), positional[max])
	default:
		return positional, exitGood, true
	}
	f.usage()
	return nil, exitUsage, false
}

// given tells whether a flag stands in the arguments.
func (f *flags) given(name string) (set bool) {
	f.Visit(func(fl *flag.Flag) { set = set || fl.Name == name })
	return set
}

// fail prints a problem of the command and returns its exit status.
func (f *flags) fail(format string, args ...any) int {
	fmt.Fprintf(f.t.stderr, "mxhook %s: %s\n", f.Name(), fmt.Sprintf(format, args...))
	return exitProblem
}

// wrong prints what is wrong with the usage and returns its exit status.
func (f *flags) wrong(format string, args ...any) int {
	f.fail(format, args...)
	return exitUsage
}
