package main

import (
	"context"
	"flag"
	"io"
)

// terminal is what a command may use of the process, so that tests can run one in
// their own.
type terminal struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) (string, bool)
	// describe takes a command's flags in place of the help text, unless it is nil.
	describe func(*flag.FlagSet)
}

// command is one row of `mxhook help`.
type command struct {
	name     string
	argument string // what follows the name in the usage line
	summary  string
	run      func(ctx context.Context, t *terminal, args []string) int
}

// commands returns all commands in the order of the help text.
func commands() []command {
	return []command{
		{"demo", "", "run the whole bridge once on loopback and show what it does", runDemo},
		{"serve", "", "run the bridge", runServe},
		{"check", "", "validate a configuration", runCheck},
		{"explain", "RCPT…", "tell which route each recipient takes and why", runExplain},
		{"inspect", "FILE.eml", "print what a sink would be sent for a message", runInspect},
		{"send", "FILE.eml", "send a message over SMTP", runSend},
		{"replay", "[ID… | FILE.eml]", "list, show, put back and drop the events of the spool; deliver a stored message", runReplay},
		{"doctor", "", "check DNS, certificates, listeners, sinks and state, and say how to mend what is wrong", runDoctor},
		{"schema", "", "print the JSON Schema of the payload", runSchema},
		{"hash-password", "", "read a password, print the hash for a listener's users", runHashPassword},
		{"completion", "SHELL", "print the completion script of bash, zsh or fish", runCompletion},
		{"man", "", "print the manual page", runMan},
		{"version", "", "print version, commit and Go version", runVersion},
	}
}
