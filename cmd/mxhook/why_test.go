package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mxhook/verify/dns"
)

var updateWhy = flag.Bool("update", false, "write testdata anew")

// whyCases are what operators ask about. The messages were signed once; their keys
// exist nowhere any more.
var whyCases = []struct {
	name, message string
	args          []string
	dead          bool // nobody listens where the resolver should be
}{
	{name: "pass", message: "signed", args: []string{"--ip", "192.0.2.1", "--helo", "mail.sender.example"}},
	{name: "spf-fail", message: "unsigned", args: []string{"--ip", "203.0.113.9", "--helo", "pc.home.example"}},
	{name: "dkim-footer", message: "footer", args: []string{"--ip", "203.0.113.5", "--helo", "out.bulk.example", "--from", "list-bounces@bulk.example"}},
	{name: "dkim-no-key", message: "old-selector", args: []string{"--ip", "198.51.100.7", "--helo", "mta.hoster.example"}},
	{name: "dkim-expired", message: "expired", args: []string{"--ip", "203.0.113.5", "--helo", "out.bulk.example", "--from", ""}},
	{name: "dmarc-misaligned", message: "bulk", args: []string{"--ip", "203.0.113.5", "--helo", "out.bulk.example", "--from", "bounce@bulk.example"}},
	{name: "arc-trusted", message: "forwarded", args: []string{"--ip", "203.0.113.5", "--helo", "out.bulk.example", "--from", "ann@bulk.example", "-c"}},
	{name: "dead-resolver", message: "signed", args: []string{"--ip", "192.0.2.1", "--helo", "mail.sender.example"}, dead: true},
}

// The second of two equal questions is told what is left of the TTL; which method asks
// first is left to chance.
var (
	leftOf300 = regexp.MustCompile(`\(cached,\s+(300|2[89]\d)\s+s\s+left`)
	leftOf60  = regexp.MustCompile(`\(cached,\s+(60|[45]\d)\s+s\s+left`)
)

func wholeTTL(s string) string {
	return leftOf300.ReplaceAllString(leftOf60.ReplaceAllString(s, "(TTL 60 s"), "(TTL 300 s")
}

func TestInspectWhy(t *testing.T) {
	text, err := os.ReadFile("testdata/why/zone")
	if err != nil {
		t.Fatal(err)
	}
	zone, err := dns.ParseZone(string(text))
	if err != nil {
		t.Fatal(err)
	}
	server := dns.NewServer(zone)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	for _, c := range whyCases {
		resolver := server.Addr()
		if c.dead {
			resolver = closedPort(t)
		}
		args := append([]string{"inspect", "--why", "testdata/why/" + c.message + ".eml", "--time", "2026-11-22T12:00:00Z", "--resolver", resolver}, c.args...)
		if c.name == "arc-trusted" {
			args = append(args, writeFile(t, "mxhook.yaml", goodConfig+"verify: {trusted_arc_sealers: [forwarder.example, mailbox.example]}\n"), "--rcpt", "a@in.example.com")
		}
		got := runCommand(t, "", args...)
		if got.status != 0 || !strings.HasPrefix(got.stdout, "{") || !strings.Contains(got.stdout, `"authentication"`) {
			t.Errorf("%s: status %d, output %.200s", c.name, got.status, got.stdout)
		}
		if at := strings.Index(got.stderr, "MAIL FROM <"); at > 0 { // warnings about the configuration
			got.stderr = got.stderr[at:]
		}
		checkWhy(t, c.name, wholeTTL(strings.ReplaceAll(got.stderr, resolver, "127.0.0.1:53")))
	}
}

// checkWhy compares a reasoning with its golden file, words apart from line ends, since
// the number of a port wraps a line elsewhere; and it looks at what a person sees: every
// section with its result, lines that fit.
func checkWhy(t *testing.T, name, got string) {
	t.Helper()
	for _, line := range strings.Split(got, "\n") {
		if len(line) > 84 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("%s: a long line: %s", name, line)
		}
	}
	for _, title := range []string{"MAIL FROM", "SPF (MAIL FROM): ", "SPF (HELO): ", "DKIM: ", "DMARC: ", "ARC: ", "iprev: ", "EHLO name: ", "From verified: "} {
		if !strings.Contains("\n"+got, "\n"+title) {
			t.Errorf("%s: no line %q in\n%s", name, title, got)
		}
	}
	file := filepath.Join("testdata", "why", name+".txt")
	if *updateWhy {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	words := func(s string) string {
		return strings.Join(strings.Fields(wholeTTL(s)), " ")
	}
	if words(got) != words(string(want)) {
		t.Errorf("%s: the reasoning changed (go test ./cmd/mxhook -run InspectWhy -update writes it anew):\n%s", name, got)
	}
}

func TestInspectSaysNothingWithoutWhy(t *testing.T) {
	got := runCommand(t, "", "inspect", "--verify", "--resolver", closedPort(t), "testdata/why/signed.eml")
	if got.status != 0 || got.stderr != "" {
		t.Errorf("status %d, %q", got.status, got.stderr)
	}
}
