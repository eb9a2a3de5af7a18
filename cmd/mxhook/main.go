// Command mxhook is a public MX that turns inbound mail into HTTP webhooks. Each
// command has a file of its own; this one finds it.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	_ "time/tzdata" // for the times of invitations where the system has no zones
)

// Exit statuses.
const (
	exitGood    = 0
	exitProblem = 1 // a problem that was printed
	exitUsage   = 2 // wrong usage
)

// terminal is what a command may use of the process, so that tests can run one in
// their own.
type terminal struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) (string, bool)
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
		{"version", "", "print version, commit and Go version", runVersion},
	}
}

func main() {
	// net/http tells the standard log what a server said unasked, octet by octet. What
	// is worth knowing of it is in our own log, in our own words.
	log.SetOutput(io.Discard)
	t := &terminal{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv}
	os.Exit(run(context.Background(), t, os.Args[1:]))
}

// run finds the command and runs it. The result is the exit status.
func run(ctx context.Context, t *terminal, args []string) int {
	if len(args) == 0 {
		printHelp(t.stderr)
		return exitUsage
	}
	name, args := args[0], args[1:]
	if name == "help" || name == "-h" || name == "--help" {
		return runHelp(ctx, t, args)
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, t, args)
		}
	}
	fmt.Fprintf(t.stderr, "mxhook: no command %q; `mxhook help` lists them\n", name)
	return exitUsage
}
