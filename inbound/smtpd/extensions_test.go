package smtpd

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// extension is a row of the table in inbound/README.md.
type extension struct {
	names []string
	here  string
	tried [][2]string // a command and the code of its reply
}

func extensions(t *testing.T) (all []extension) {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "<!-- extensions -->\n")
	table, _, end := strings.Cut(rest, "<!-- /extensions -->")
	if !ok || !end {
		t.Fatal("the README has no table of extensions")
	}
	name, tried := regexp.MustCompile("`([^`]+)`"), regexp.MustCompile("`([^`]+)` ([2-5][0-9][0-9])")
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[2:] {
		cells := strings.Split(line, "|")
		if len(cells) != 7 {
			t.Fatalf("%d cells: %s", len(cells), line)
		}
		e := extension{here: strings.TrimSpace(cells[3])}
		for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
			e.names = append(e.names, m[1])
		}
		for _, m := range tried.FindAllStringSubmatch(cells[4], -1) {
			e.tried = append(e.tried, [2]string{m[1], m[2]})
		}
		if n := strings.Count(cells[4], "`"); n != 2*len(e.tried) || len(e.names) == 0 {
			t.Fatalf("not understood: %s", line)
		}
		all = append(all, e)
	}
	return all
}

// keywords returns what EHLO or LHLO offers.
func keywords(t *testing.T, c *client, greeting string) map[string]bool {
	t.Helper()
	c.send(greeting + " client.test\r\n")
	offered := map[string]bool{}
	lines := strings.Split(c.reply(), "\n")
	for _, line := range lines[1:] {
		offered[strings.Fields(line[4:])[0]] = true
	}
	if !strings.HasPrefix(lines[0], "250") || len(offered) != len(lines)-1 {
		t.Fatalf("%s: %q", greeting, lines)
	}
	return offered
}

// The reply to EHLO offers what the README says, and nothing else, on each kind of
// listener, in clear and under TLS.
func TestEHLOOffersWhatTheREADMESays(t *testing.T) {
	mx := start(t, nil)
	submission := start(t, func(c *Config) { c.Authenticate, c.AuthRequired = authenticate, true })
	lmtp := start(t, func(c *Config) { c.LMTP = true })
	bare := start(t, func(c *Config) { c.TLS = nil })
	underTLS := func(c *client) *client { return c.hello().startTLS() }
	for _, c := range []struct {
		name          string
		client        *client
		greeting      string
		tls, starttls bool
		auth          bool
	}{
		{"mx", mx.dial().want("", "220"), "EHLO", false, true, false},
		{"mx under TLS", underTLS(mx.dial()), "EHLO", true, false, false},
		{"mx without a certificate", bare.dial().want("", "220"), "EHLO", false, false, false},
		{"submission", submission.dial().want("", "220"), "EHLO", false, true, false},
		{"submission under TLS", underTLS(submission.dial()), "EHLO", true, false, true},
		{"lmtp", lmtp.dial().want("", "220"), "LHLO", false, true, false},
	} {
		want := map[string]bool{}
		for _, e := range extensions(t) {
			switch e.here {
			case "offered":
				want[e.names[0]] = true
			case "offered with a certificate":
				if c.starttls {
					want[e.names[0]] = true
				}
			case "offered on submission, under TLS":
				if c.auth {
					want[e.names[0]] = true
				}
			case "no", "parsed":
			default:
				t.Fatalf("%v: %q is not understood", e.names, e.here)
			}
		}
		if got := keywords(t, c.client, c.greeting); !maps.Equal(got, want) {
			t.Errorf("%s: offered %v, the README says %v", c.name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
}

// What the README says of a command that is tried is what is heard, each in a session
// of its own; AUTH on a submission listener under TLS.
func TestWhatTheREADMETries(t *testing.T) {
	mx := start(t, nil)
	submission := start(t, func(c *Config) { c.Authenticate, c.AuthRequired = authenticate, true })
	n := 0
	for _, e := range extensions(t) {
		for _, try := range e.tried {
			var c *client
			switch {
			case strings.HasPrefix(try[0], "AUTH"):
				c = submission.dial().hello().startTLS()
			case strings.HasPrefix(try[0], "RCPT"):
				c = mx.dial().hello().want("MAIL FROM:<a@b.test>", "250")
			default:
				c = mx.dial().hello()
			}
			c.t = t
			c.want(try[0], try[1])
			c.nc.Close()
			n++
		}
		if len(e.tried) == 0 && e.here != "offered" {
			t.Errorf("%v: nothing is tried", e.names)
		}
	}
	if n < 30 {
		t.Errorf("only %d commands were tried", n)
	}
}
