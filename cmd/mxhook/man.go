package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// runMan prints the manual page, as groff and mandoc read it.
func runMan(ctx context.Context, t *terminal, args []string) int {
	if _, status, ok := newFlags(t, "man").parse(args, 0, 0); !ok {
		return status
	}
	release, _ := buildVersion()
	manPage(t.stdout, describe(ctx), release, buildDate())
	return exitGood
}

// buildDate is the day of the commit that was built, "" if that is not known.
func buildDate() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" && len(s.Value) >= len("2006-01-02") {
			return s.Value[:len("2006-01-02")]
		}
	}
	return ""
}

const manIntroduction = `.SH NAME
mxhook \- a public MX that turns inbound mail into webhooks
.SH SYNOPSIS
.B mxhook
.I COMMAND
.RI [ flags ]
.RI [ arguments ]
.SH DESCRIPTION
.B mxhook
takes mail over SMTP and LMTP, verifies who it is from (SPF, DKIM, DMARC, ARC), parses it, matches each recipient against the routes of its
configuration and delivers it to the sinks of the route.
The sender hears 250 only when every required sink has durably said yes; otherwise its own queue keeps the mail.
.PP
Flags may stand before and after arguments.
.B mxhook help
.I COMMAND
prints the flags of a command.
.SH COMMANDS
`

const manEnd = `.SH EXIT STATUS
0 good, 1 a problem that is printed, 2 wrong usage.
.SH SIGNALS
.B serve
ends with SIGTERM and SIGINT after the transactions that are on their way have their reply; another such signal ends it at once.
SIGHUP lets it read its configuration again; a faulty one leaves the old one in place.
.SH ENVIRONMENT
Variables stand for values of the configuration that are written ${NAME} or ${NAME:\-default}.
With
.B NO_COLOR
set
.B doctor
prints no colours.
Under a socket unit of systemd
.B LISTEN_FDS
and
.B LISTEN_FDNAMES
say what the sockets of a listener at systemd:NAME are.
.SH FILES
The configuration has the name that \-\-config gives; there is no default.
Its key
.B state
names the folder of the ledger, the spool, dead events and temporary files, by default
.IR ./mxhook\-data .
.SH EXAMPLES
.nf
mxhook demo
mxhook check \-\-config mxhook.yaml
mxhook doctor \-\-config mxhook.yaml
mxhook serve \-\-config mxhook.yaml
.fi
.SH STANDARDS
RFC 5321, RFC 2033, RFC 6409, RFC 7208, RFC 6376, RFC 9989, RFC 8617, RFC 8601.
`

// manPage writes the page in the macros of man(7).
func manPage(w io.Writer, all []described, release, date string) {
	fmt.Fprintf(w, ".TH MXHOOK 1 \"%s\" \"mxhook %s\" \"User Commands\"\n%s", date, roff(release), manIntroduction)
	for _, d := range all {
		fmt.Fprintf(w, ".SS mxhook %s\n%s.\n", strings.TrimSpace(roff(d.name+" "+d.argument)), roffLine(capital(d.summary)))
		for _, f := range d.flags {
			fmt.Fprint(w, ".TP\n")
			var names []string
			for _, n := range f.names {
				names = append(names, `\fB`+roff(n)+`\fR`)
			}
			line := strings.Join(names, ", ")
			if f.argument != "" {
				line += ` \fI` + roff(f.argument) + `\fR`
			}
			fmt.Fprintf(w, "%s\n%s\n", line, roffLine(f.usage))
		}
	}
	io.WriteString(w, manEnd)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// roff escapes a text: backslashes, and hyphens that are to be copied as they are.
func roff(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "\n", " ").Replace(s)
}

// roffLine escapes a text that begins a line, where a dot or an apostrophe would be a
// request.
func roffLine(s string) string {
	s = roff(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}
