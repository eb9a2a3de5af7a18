package main

import (
	"context"
	"flag"
	"io"
	"strings"

	"mxhook/sinks/payload/formats"
)

// described is a command with its flags, as the help text has them: what completion
// scripts and the manual page are made of.
type described struct {
	command
	flags []describedFlag
}

// describedFlag is a flag under all of its names, -c and --config.
type describedFlag struct {
	names    []string // with their dashes, the short ones first
	argument string   // "" for one that takes no value
	usage    string
}

// describe asks each command for its flags.
func describe(ctx context.Context) (all []described) {
	for _, c := range commands() {
		d := described{command: c}
		t := &terminal{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, getenv: func(string) (string, bool) { return "", false }}
		t.describe = func(f *flag.FlagSet) { d.flags = flagsOf(f) }
		c.run(ctx, t, []string{"--help"})
		all = append(all, d)
	}
	return append(all, described{command: command{name: "help", argument: "[COMMAND]", summary: "print the list of commands, or the flags of one"}})
}

// flagsOf returns the flags in the order of their names; those that set the same value
// are one.
func flagsOf(f *flag.FlagSet) (all []describedFlag) {
	values := map[flag.Value]int{}
	f.VisitAll(func(fl *flag.Flag) {
		dashes := "--"
		if len(fl.Name) == 1 {
			dashes = "-"
		}
		if _, isFunc := fl.Value.(interface{ Get() any }); isFunc { // those of Func can't be compared
			if i, known := values[fl.Value]; known {
				all[i].names = append(all[i].names, dashes+fl.Name)
				if usage := fl.Usage; !strings.HasPrefix(usage, "the same as") {
					_, all[i].usage = flag.UnquoteUsage(fl)
				}
				return
			}
			values[fl.Value] = len(all)
		}
		argument, usage := flag.UnquoteUsage(fl)
		all = append(all, describedFlag{names: []string{dashes + fl.Name}, argument: argument, usage: usage})
	})
	return all
}

// choices are the values of a flag that a shell can offer; file says that it is a file's
// name.
func (f describedFlag) choices() (words []string, file bool) {
	switch {
	case f.names[len(f.names)-1] == "--format":
		return formats.Names(), false
	case f.argument == "FILE":
		return nil, true
	}
	return nil, false
}

// choices are the arguments of a command that a shell can offer.
func (d described) choices(all []described) (words []string, file bool) {
	switch d.name {
	case "help":
		for _, c := range all {
			words = append(words, c.name)
		}
		return words, false
	case "completion":
		return shells, false
	case "check", "doctor":
		return nil, true
	}
	return nil, strings.Contains(d.argument, "FILE")
}
