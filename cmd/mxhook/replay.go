package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/control"
	"mxhook/sinks/spool"
)

// runReplay asks the bridge about the events that it holds, or gives it a stored
// message.
func runReplay(ctx context.Context, t *terminal, args []string) int {
	f := newFlags(t, "replay")
	r := replay{f: f}
	r.file = f.config()
	f.BoolVar(&r.list, "list", false, "list what the spool holds")
	f.BoolVar(&r.all, "all", false, "put all back: every dead event is tried again, every waiting one is due now")
	f.StringVar(&r.state, "state", "", "with --list and --all: only those of this `STATE`, waiting or dead")
	f.StringVar(&r.sink, "sink", "", "with --list and --all: only those for the sink `NAME`")
	f.BoolVar(&r.show, "show", false, "show all facts of the events that an ID names")
	f.BoolVar(&r.raw, "raw", false, "with --show: the message itself, as it was received")
	f.BoolVar(&r.drop, "drop", false, "drop the events that the IDs name, for good; nobody gets them")
	f.BoolVar(&r.yes, "yes", false, "with --drop --all: yes, all of them")
	f.BoolVar(&r.json, "json", false, "print JSON")
	f.StringVar(&r.from, "from", "", "of FILE.eml: the reverse-path `ADDR`, \"\" for the null reverse-path")
	r.rcpts = f.repeated("rcpt", "of FILE.eml: a forward-path `ADDR`, repeatable")
	f.StringVar(&r.ip, "ip", "127.0.0.1", "of FILE.eml: the client's `ADDR`")
	f.StringVar(&r.helo, "helo", "localhost", "of FILE.eml: the `NAME` that the client gave in EHLO")
	f.BoolVar(&r.verify, "verify", false, "of FILE.eml: do the DNS look-ups; without it authentication is \"none\"")
	f.BoolVar(&r.again, "again", false, "of FILE.eml: also to sinks that have it, by the ledger")
	positional, status, ok := f.parse(args, 0, -1)
	if !ok {
		return status
	}
	ask, err := r.question(positional)
	if err != nil {
		fmt.Fprintf(t.stderr, "mxhook replay: %v\n", err)
		return exitUsage
	}
	return r.run(ctx, ask)
}

// replay is what the flags say.
type replay struct {
	f                                     *flags
	file                                  *string
	list, all, show, raw, drop, yes, json bool
	state, sink                           string
	rcpts                                 *[]string
	from, ip, helo                        string
	verify, again                         bool
	sending                               bool // a FILE.eml
	config                                *config.Config
	operations                            control.Operations
}

// question is what is asked of the bridge; the result is the exit status.
type question func(ctx context.Context) int

// goesWith returns the flags of a kind of question, besides --config.
func goesWith(kind string) []string {
	switch kind {
	case "--list":
		return []string{"list", "state", "sink", "json"}
	case "--show":
		return []string{"show", "raw", "json"}
	case "--drop":
		return []string{"drop", "json"}
	case "--drop --all":
		return []string{"drop", "all", "yes", "state", "sink", "json"}
	case "--all":
		return []string{"all", "state", "sink", "json"}
	case "FILE.eml":
		return []string{"from", "rcpt", "ip", "helo", "verify", "again", "json"}
	}
	return []string{"json"}
}

// question finds out what is asked. The error tells wrong usage.
func (r *replay) question(arguments []string) (question, error) {
	isMessage := slices.ContainsFunc(arguments, isMessageFile)
	kind, ask, needs := "an ID", r.putBack(arguments), "" // what the arguments must be
	switch {
	case r.list:
		kind, ask, needs = "--list", r.printList, "none"
	case r.show:
		kind, ask = "--show", r.printShown(arguments)
	case r.drop && r.all:
		kind, ask, needs = "--drop --all", r.dropThem(nil), "none"
	case r.drop:
		kind, ask = "--drop", r.dropThem(arguments)
	case r.all:
		kind, ask, needs = "--all", r.putBack(nil), "none"
	case isMessage:
		kind, ask, needs, r.sending = "FILE.eml", r.sendMessage(arguments[0]), "file", true
	}
	if err := r.checkFlags(kind); err != nil {
		return nil, err
	}
	switch {
	case needs == "none" && len(arguments) > 0:
		return nil, fmt.Errorf("%s takes no argument such as %q", kind, arguments[0])
	case needs == "file" && len(arguments) > 1:
		return nil, errors.New("one message at a time, and no ids with it")
	case needs == "" && len(arguments) == 0 && kind == "an ID":
		return nil, errors.New("what? --list lists what the spool holds; name ids, --all or a FILE.eml to have something delivered")
	case needs == "" && len(arguments) == 0:
		return nil, fmt.Errorf("%s needs the id of an event; see mxhook replay --list", kind)
	case r.show && len(arguments) > 1:
		return nil, errors.New("--show takes one id")
	case r.raw && r.json:
		return nil, errors.New("--raw is the message itself, not JSON")
	case r.drop && r.all && !r.yes:
		return nil, errors.New("--drop --all drops every event in the spool, and nobody gets them; say --yes, too, if that is meant")
	case r.state != "" && r.state != string(spool.Waiting) && r.state != string(spool.Dead):
		return nil, fmt.Errorf("--state %s: there are waiting and dead", r.state)
	}
	for _, a := range arguments {
		if needs == "" && !control.IsName(a) {
			return nil, fmt.Errorf("%q is neither the id of an event (msg_…, see mxhook replay --list) nor a message: a file's name ends in .eml or has a %q in it", a, "/")
		}
	}
	return ask, nil
}

// checkFlags tells of a flag that means nothing for this kind of question.
func (r *replay) checkFlags(kind string) (err error) {
	allowed := append(goesWith(kind), "c", "config")
	r.f.Visit(func(fl *flag.Flag) {
		if err == nil && !slices.Contains(allowed, fl.Name) {
			err = fmt.Errorf("--%s does not go with %s", fl.Name, kind)
		}
	})
	return err
}

// isMessageFile tells whether an argument is a message and not an id: it looks like
// a file's name, and if it could be an id as well ("msg_….eml" may also mean the sink
// "eml"), the file is there.
func isMessageFile(argument string) bool {
	if argument == "-" {
		return true
	}
	if !strings.ContainsAny(argument, "/\\") && !strings.HasSuffix(argument, ".eml") {
		return false
	}
	return !control.IsName(argument) || isFile(argument)
}

// putBack puts the named events back to work, or all.
func (r *replay) putBack(names []string) question {
	return func(ctx context.Context) int {
		changed, err := r.operations.Replay(ctx, r.selection(names))
		if err != nil {
			return r.f.fail("%v", err)
		}
		return r.printChanged(changed, "put back", "due now")
	}
}

// dropThem drops the named events, or all.
func (r *replay) dropThem(names []string) question {
	return func(ctx context.Context) int {
		changed, err := r.operations.Drop(ctx, r.selection(names))
		if err != nil {
			return r.f.fail("%v", err)
		}
		changed.Working = true // nothing is left to be done
		return r.printChanged(changed, "dropped", "dropped")
	}
}

func (r *replay) selection(names []string) control.Selection {
	return control.Selection{Names: names, All: r.all, Filter: r.filter()}
}

func (r *replay) filter() control.Filter {
	return control.Filter{State: spool.State(r.state), Sink: r.sink}
}

// run does what is asked, by the process that has the state folder or by this one.
func (r *replay) run(ctx context.Context, ask question) int {
	var good bool
	if r.config, good = r.load(); !good {
		return exitProblem
	}
	done, err := r.open(ctx)
	if err != nil {
		return r.f.fail("%v", err)
	}
	status := ask(ctx)
	if err := done(); err != nil {
		return r.f.fail("%v", err)
	}
	return status
}

// load reads the configuration, or makes the one of a serve without any.
func (r *replay) load() (*config.Config, bool) {
	if *r.file != "" {
		c, problems := config.Load(*r.file, r.f.t.getenv)
		good := true
		for _, p := range problems {
			if !p.Warning { // these were told to who started serve
				fmt.Fprintln(r.f.t.stderr, p)
				good = false
			}
		}
		return c, good
	}
	c, err := config.Development(config.DevelopmentOptions{})
	if err != nil {
		r.f.fail("%v", err)
		return nil, false
	}
	return c, true
}
