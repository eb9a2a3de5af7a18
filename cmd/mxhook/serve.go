package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/page"
)

// drainTime is how long a stop waits beyond the delivery budget for what is on its
// way: a webhook may answer after the sender was told to come back.
const drainTime = 30 * time.Second

// sameSignal is how long after the first another signal to end is taken for the same.
const sameSignal = 2 * time.Second

// runServe runs the bridge until SIGTERM or SIGINT, or until ctx ends.
func runServe(ctx context.Context, t *terminal, args []string) int {
	f := newFlags(t, "serve")
	file := f.config()
	var d config.DevelopmentOptions
	f.StringVar(&d.To, "to", "", "without --config: post to this `URL` instead of writing files")
	domains := f.repeated("domain", "without --config: take mail for this `DOMAIN` alone, repeatable")
	f.StringVar(&d.Listen, "listen", "", "without --config: the SMTP `ADDR`; default 127.0.0.1:2525")
	if _, status, ok := f.parse(args, 0, 0); !ok {
		return status
	}
	d.Domains = *domains
	if *file != "" && (d.To != "" || d.Listen != "" || len(d.Domains) > 0) {
		fmt.Fprintln(t.stderr, "mxhook serve: --to, --domain and --listen are for a start without --config; write them into the configuration")
		return exitUsage
	}
	s := server{t: t, f: f, file: *file, development: d}
	return s.run(ctx)
}

// server is one run of `mxhook serve`.
type server struct {
	t           *terminal
	f           *flags
	file        string
	development config.DevelopmentOptions
	log         *slog.Logger
}

// load reads the configuration, or makes the one for development.
func (s *server) load() (*config.Config, bool) {
	if s.file != "" {
		return loadConfig(s.t, s.file, s.t.stderr)
	}
	c, err := config.Development(s.development)
	if err != nil {
		s.f.fail("%v", err)
		return nil, false
	}
	return c, true
}

func (s *server) run(ctx context.Context) int {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	c, good := s.load()
	if !good {
		return exitProblem
	}
	s.log = newLog(s.t.stderr, c.Log)
	release, commit := buildVersion()
	b, err := bridge.New(c, bridge.Options{Log: s.log, Version: release, Commit: commit, Page: page.Make})
	if err != nil {
		return s.f.fail("%v", err)
	}
	if err := b.Start(); err != nil {
		return s.f.fail("%v", err)
	}
	if s.file == "" {
		s.greet(b, c)
	}
	s.wait(ctx, b, signals)
	return s.drain(b, c, signals)
}

// wait returns when it is time to stop. SIGHUP reloads meanwhile.
func (s *server) wait(ctx context.Context, b *bridge.Bridge, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return
			}
			s.reload(b)
		}
	}
}

// reload takes the configuration's present text; the old one stays when it is faulty.
func (s *server) reload(b *bridge.Bridge) {
	if s.file == "" {
		s.log.Warn("nothing to reload without --config")
		return
	}
	c, problems := config.Load(s.file, s.t.getenv)
	faulty := false
	for _, p := range problems {
		s.log.Warn("configuration", "problem", p.String())
		faulty = faulty || !p.Warning
	}
	if faulty {
		s.log.Error("configuration not reloaded, the old one stays")
		return
	}
	if err := b.Reload(c); err != nil {
		s.log.Error("configuration not reloaded, the old one stays", "error", err)
	}
}

// drain ends the bridge. Another signal ends it at once, but for one that comes with
// the first: supervisors signal the process and its group.
func (s *server) drain(b *bridge.Bridge, c *config.Config, signals <-chan os.Signal) int {
	ctx, cancel := context.WithTimeout(context.Background(), c.Delivery.Budget+drainTime)
	defer cancel()
	began := time.Now()
	go func() {
		for {
			select {
			case sig := <-signals:
				if sig != syscall.SIGHUP && time.Since(began) > sameSignal {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	if err := b.Stop(ctx); err != nil {
		s.log.Error("not everything came to its end", "error", err)
		return exitProblem
	}
	return exitGood
}

// greet tells a newcomer how to send a first mail.
func (s *server) greet(b *bridge.Bridge, c *config.Config) {
	where := "to the webhook"
	if d := c.Sinks[0].Dir; d != nil {
		where = "into " + d.Path + " (ID.eml and ID.json)"
	}
	recipient := "you@example.com"
	if len(s.development.Domains) > 0 {
		recipient = "you@" + s.development.Domains[0]
	}
	smtp := b.Addrs()[0]
	fmt.Fprintf(s.t.stdout, `mxhook takes mail on %[1]s and delivers it %[2]s.
Send a first one:

  printf 'From: me@example.org\nTo: %[3]s\nSubject: Hello\n\nIt works.\n' |
    curl --noproxy '*' smtp://%[1]s --mail-from me@example.org --mail-rcpt %[3]s --upload-file -

`, smtp, where, recipient)
	if a := b.AdminAddr(); a != nil {
		fmt.Fprintf(s.t.stdout, "The page: http://%[1]s/\nHealth and metrics: http://%[1]s/healthz http://%[1]s/metrics\n\n", a)
	}
}

// newLog returns the log that the configuration asks for: without a format, text on
// a terminal and JSON elsewhere. Durations are seconds, as in the metrics.
func newLog(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.Float64Value(a.Value.Duration().Round(time.Microsecond).Seconds())
		}
		return a
	}}
	if c.Format == "text" || c.Format == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
