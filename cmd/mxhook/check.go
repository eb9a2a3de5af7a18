package main

import (
	"context"
	"fmt"
	"io"

	"mxhook/cmd/internal/config"
)

// runCheck validates a configuration without starting anything.
func runCheck(_ context.Context, t *terminal, args []string) int {
	f := newFlags(t, "check")
	file := f.config()
	effective := f.Bool("effective", false, "print the configuration as YAML with all defaults filled in, and variables in the place of secrets")
	files, status, ok := f.parse(args, 0, 1)
	if !ok {
		return status
	}
	if len(files) == 1 && *file == "" {
		*file = files[0]
	}
	if *file == "" {
		fmt.Fprintln(t.stderr, "mxhook check: which configuration? Name it with --config FILE")
		return exitUsage
	}
	if *effective {
		return printEffective(t, *file)
	}
	c, good := loadConfig(t, *file, t.stdout)
	if !good {
		return exitProblem
	}
	fmt.Fprintf(t.stdout, "%s: good (listeners: %d, sinks: %d, routes: %d)\n", *file, len(c.Listeners), len(c.Sinks), len(c.Routes))
	return exitGood
}

// printEffective prints a configuration as it is understood on standard output, and what
// is wrong with it on standard error.
func printEffective(t *terminal, file string) int {
	text, problems := config.LoadEffective(file, t.getenv)
	printProblems(t.stderr, problems)
	if text == nil {
		return exitProblem
	}
	t.stdout.Write(text)
	return exitGood
}

// loadConfig reads a configuration and prints its faults and warnings, one a line.
// It is good when there is no fault.
func loadConfig(t *terminal, file string, out io.Writer) (c *config.Config, good bool) {
	c, problems := config.Load(file, t.getenv)
	return c, printProblems(out, problems)
}

// printProblems prints problems, one a line. It is good when all are warnings.
func printProblems(out io.Writer, problems []config.Problem) (good bool) {
	good = true
	for _, p := range problems {
		fmt.Fprintln(out, p)
		good = good && p.Warning
	}
	return good
}
