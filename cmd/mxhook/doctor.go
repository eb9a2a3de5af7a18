package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/doctor"
	"mxhook/routing"
	"mxhook/verify/dns"
)

// runDoctor checks what a public MX needs. Its status is good when there is no error and
// nothing that could not be found out; warnings don't count.
func runDoctor(ctx context.Context, t *terminal, args []string) int {
	f := newFlags(t, "doctor")
	file := f.config()
	asJSON := f.Bool("json", false, "print one JSON object, {\"checks\": [{name, subject, severity, found, why, fix}]}")
	domains := f.repeated("domain", "check this served `DOMAIN` alone, repeatable; by default all of them")
	resolver := f.String("resolver", "", "the name server to ask, `HOST:PORT`; by default verify.resolver or the system's")
	authorities := f.String("root-ca", "", "a PEM `FILE` of the authorities that are trusted in place of the system's, for our certificates and the MTA-STS host's")
	policies := f.String("policy-address", "", "fetch MTA-STS policies from `HOST:PORT` and not where DNS says: from behind NAT, or before DNS has changed")
	timeout := f.Duration("timeout", 15*time.Second, "the `DURATION` that one group of checks may take, by default 15s")
	files, status, ok := f.parse(args, 0, 1)
	if !ok {
		return status
	}
	if len(files) == 1 && *file == "" {
		*file = files[0]
	}
	o := doctor.Options{Timeout: *timeout, PolicyAddress: *policies}
	switch err := doctorFlags(&o, *domains, *resolver); {
	case *file == "":
		return f.wrong("which configuration? Name it with --config FILE")
	case err != nil:
		return f.wrong("%v", err)
	}
	c, problems := config.Load(*file, t.getenv)
	if good := printProblems(t.stderr, problems); !good {
		return unread(f, *asJSON, problems)
	}
	if err := servesAll(c, o.Domains); err != nil {
		return f.wrong("%v", err)
	}
	if err := prepareDoctor(&o, c, *resolver, *authorities); err != nil {
		f.fail("%v", err)
		return unread(f, *asJSON, []config.Problem{{File: *file, Text: err.Error()}})
	}
	report := doctor.Run(ctx, o)
	if err := printReport(t, report, *asJSON); err != nil {
		return f.fail("%v", err)
	}
	if !report.Healthy() {
		return exitProblem
	}
	return exitGood
}

// unread ends a run that can look at nothing. What was wrong stands on standard error; a
// job that reads JSON gets it there, too.
func unread(f *flags, asJSON bool, problems []config.Problem) int {
	if asJSON {
		if err := printReport(f.t, doctor.Unread(problems), true); err != nil {
			return f.fail("%v", err)
		}
	}
	return exitProblem
}

// servesAll wants each domain to be one that the routes serve: a mistyped one is not to be
// registered.
func servesAll(c *config.Config, domains []string) error {
	table, _ := routing.Compile(c.Routes, routing.Options{Hostname: c.Hostname})
	if table == nil || slices.ContainsFunc(c.Routes, func(r routing.Rule) bool { return r.AnyDomain }) {
		return nil
	}
	served := table.Domains()
	for _, name := range domains {
		switch {
		case slices.Contains(served, name):
		case len(served) == 0:
			return fmt.Errorf("--domain %s is not served by this configuration, which serves none", name)
		case len(served) > 10:
			return fmt.Errorf("--domain %s is not served by this configuration; served: %s and %d more", name, strings.Join(served[:10], ", "), len(served)-10)
		default:
			return fmt.Errorf("--domain %s is not served by this configuration; served: %s", name, strings.Join(served, ", "))
		}
	}
	return nil
}

// doctorFlags reads what stands for itself. The error says which flag is wrong.
func doctorFlags(o *doctor.Options, domains []string, resolver string) error {
	if o.Timeout <= 0 {
		return errors.New("--timeout must be more than 0")
	}
	if _, _, err := net.SplitHostPort(o.PolicyAddress); err != nil && o.PolicyAddress != "" {
		return fmt.Errorf("--policy-address %q: HOST:PORT is wanted", o.PolicyAddress)
	}
	if resolver != "" && !isServer(resolver) {
		return fmt.Errorf("--resolver %q: an IP address is wanted, with or without a port, such as 127.0.0.1:53 or [::1]:53", resolver)
	}
	for _, name := range domains {
		d, ok := dns.Domain(name)
		if !ok {
			return fmt.Errorf("--domain %q is no domain", name)
		}
		o.Domains = append(o.Domains, d)
	}
	return nil
}

// isServer tells whether s is an IP address, with or without a port.
func isServer(s string) bool {
	_, withPort := netip.ParseAddrPort(s)
	_, alone := netip.ParseAddr(s)
	return withPort == nil || alone == nil
}

// prepareDoctor adds what the configuration and files say.
func prepareDoctor(o *doctor.Options, c *config.Config, resolver, authorities string) (err error) {
	o.Config = c
	if authorities != "" {
		pem, err := os.ReadFile(authorities)
		if err != nil {
			return fmt.Errorf("--root-ca: %w", err)
		}
		o.Roots = x509.NewCertPool()
		if !o.Roots.AppendCertsFromPEM(pem) {
			return fmt.Errorf("--root-ca: %s holds no PEM certificate", authorities)
		}
	}
	var servers []string
	for _, a := range c.Verify.Resolver {
		servers = append(servers, a.String())
	}
	if resolver != "" {
		servers = []string{resolver}
	}
	o.Resolver = dns.New(dns.Config{Servers: servers})
	release, commit := buildVersion()
	bo := bridge.Options{Log: slog.New(slog.DiscardHandler), Version: release, Commit: commit}
	if o.Sinks, err = bridge.Sinks(c, bo); err != nil {
		return err
	}
	queues, err := bridge.Queues(c, bo)
	o.Queues = map[string]doctor.Queue{}
	for name, q := range queues {
		o.Queues[name] = q
	}
	return err
}

// printReport prints a report; colours are for a terminal that has not asked for none
// (https://no-color.org).
func printReport(t *terminal, r doctor.Report, asJSON bool) error {
	if asJSON {
		return r.WriteJSON(t.stdout)
	}
	none, _ := t.getenv("NO_COLOR")
	kind, _ := t.getenv("TERM")
	return r.WriteText(t.stdout, isTerminal(t.stdout) && none == "" && kind != "dumb")
}
