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
	if name == "--version" || name == "-v" {
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, t, args)
		}
	}
	fmt.Fprintf(t.stderr, "mxhook: no command %q; `mxhook help` lists them\n", name)
	return exitUsage
}
