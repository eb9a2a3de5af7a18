package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mxhook/verify"
	"mxhook/verify/dns"
)

// An implementation is another program that verifies, by a script in
// testdata/differential that reads all questions from its standard input.
type implementation struct {
	name, script string
	programs     [][]string // one that can run the script is enough
	probe        []string   // arguments with which it shows that it can
}

var implementations = []implementation{
	{"dkimpy", "dkimpy.py", [][]string{{"python3"}, {"/usr/bin/python3"}}, []string{"-c", "import dkim, nacl"}},
	{"Mail::DKIM", "maildkim.pl", [][]string{{"perl"}, {"/usr/bin/perl"}}, []string{"-MMail::DKIM", "-e", "1"}},
	{"mailauth", "mailauth.js", [][]string{{"node"}}, []string{"-e", "require('mailauth/lib/dkim/verify')"}},
}

// program finds the program, skips without it, and fails where all must be here.
func (i implementation) program(t *testing.T) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("other implementations take seconds")
	}
	if os.Getenv("MXHOOK_INTEROP") == "skip" {
		t.Skip("MXHOOK_INTEROP=skip")
	}
	for _, p := range i.programs {
		if exec.Command(p[0], append(p[1:], i.probe...)...).Run() == nil {
			return append(p, "testdata/differential/"+i.script)
		}
	}
	if os.Getenv("MXHOOK_INTEROP") == "require" {
		t.Fatalf("%s can't be run, and MXHOOK_INTEROP=require (see testdata/differential/README.md)", i.name)
	}
	t.Skipf("%s is not installed (see testdata/differential/README.md)", i.name)
	return nil
}

// ask gives all questions to one process. Each is a line, and so is each answer.
func (i implementation) ask(t *testing.T, questions []any, answers int) []said {
	t.Helper()
	program := i.program(t)
	var in bytes.Buffer
	for _, q := range questions {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program[0], program[1:]...)
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", i.name, err, complaints.String())
	}
	var list []said
	t.Logf("%d answers for %v of CPU", answers, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(10*time.Millisecond))
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var s said
		if err := d.Decode(&s); err != nil {
			t.Fatalf("%s: %v", i.name, err)
		}
		list = append(list, s)
	}
	if len(list) != answers {
		t.Fatalf("%s: %d answers to %d questions\n%s", i.name, len(list), answers, complaints.String())
	}
	return list
}

// said is what an implementation says of one message.
type said struct {
	DKIM   []statement
	ARC    statement
	DMARC  string
	Policy string
	Fault  string
}

type statement struct{ Result, Reason, Domain, Selector string }

// records is a Resolver of TXT records alone.
type records map[string]string

func (r records) LookupTXT(_ context.Context, name string) ([]string, error) {
	if text, ok := r[strings.ToLower(strings.TrimSuffix(name, "."))]; ok {
		return []string{text}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (r records) none(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}
func (r records) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, r.none(name)
}
func (r records) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, r.none(name)
}
func (r records) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return nil, r.none(addr)
}

var _ dns.Resolver = records{}

// sample is a message and the records that its signatures need.
type sample struct {
	name    string // set/message
	message string // with CRLF
	records records
}

// ours is what the Verifier says of a sample, in the same form.
func ours(s sample) said {
	v := verify.New(verify.Config{Resolver: s.records, AuthservID: "mx.in.example"})
	r := v.Verify(context.Background(), message(s.message))
	o := said{ARC: statement{Result: string(r.ARC.Result), Reason: r.ARC.Reason}}
	for _, d := range r.DKIM {
		o.DKIM = append(o.DKIM, statement{string(d.Result), d.Reason, d.Domain, d.Selector})
	}
	return o
}

// difference is a row of the table of those that are known: regular expressions for what
// is said, as "result: reason", and why ours is right.
type difference struct {
	who, sample, ours, theirs, why string
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

func (d difference) explains(who, sample string, ours, theirs statement) bool {
	return matches(d.who, who) && matches(d.sample, sample) &&
		matches(d.ours, ours.Result+": "+ours.Reason) && matches(d.theirs, theirs.Result+": "+theirs.Reason)
}

// comparison counts, and tells what no row explains.
type comparison struct {
	t      *testing.T
	rows   []difference
	mu     sync.Mutex
	used   map[int]int
	agreed map[string]int
	total  map[string]int
}

func compare(t *testing.T, rows []difference) *comparison {
	return &comparison{t: t, rows: rows, used: map[int]int{}, agreed: map[string]int{}, total: map[string]int{}}
}

// noKey is how each says that there is no key.
var noKey = regexp.MustCompile(`(?i)no key|not available|missing public key`)

// verdict compares one result: whether it passes, and no key where they say so.
func (c *comparison) verdict(who, sample string, ours, theirs statement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total[who]++
	agreed := (ours.Result == "pass") == (theirs.Result == "pass")
	if noKey.MatchString(theirs.Reason) && ours.Result != "none" {
		agreed = agreed && noKey.MatchString(ours.Reason)
	}
	if agreed {
		c.agreed[who]++
		return
	}
	for i, row := range c.rows {
		if row.explains(who, sample, ours, theirs) {
			c.used[i]++
			return
		}
	}
	c.t.Errorf("%s: %s says %q (%s), here it is %q (%s)", sample, who, theirs.Result, theirs.Reason, ours.Result, ours.Reason)
}

// signatures compares those of one message. An implementation that leaves out what it
// can't read says that it doesn't pass.
func (c *comparison) signatures(who, sample string, ours, theirs said) {
	rest := theirs.DKIM
	for i, o := range ours.DKIM {
		name := fmt.Sprintf("%s, signature %d", sample, i)
		said := statement{Result: "left out"}
		if len(rest) > 0 && (rest[0].Domain == "" || strings.EqualFold(rest[0].Domain, o.Domain) && strings.EqualFold(rest[0].Selector, o.Selector)) {
			said, rest = rest[0], rest[1:]
		}
		c.verdict(who, name, o, said)
	}
	for _, r := range rest {
		c.verdict(who, sample+", a signature", statement{Result: "left out"}, r)
	}
}

// end tells the numbers. Every row must have been needed by somebody.
func (c *comparison) end(required bool) {
	for who, n := range c.total {
		c.t.Logf("%s: %d of %d agree", who, c.agreed[who], n)
	}
	for i, row := range c.rows {
		if c.used[i] == 0 && required {
			c.t.Errorf("no difference any more: %+v", row)
		}
		c.t.Logf("%4d  %s", c.used[i], row.why)
	}
}

// everybody asks all implementations at the same time.
func everybody(t *testing.T, questions []any, answers int, each func(who string, answers []said)) {
	t.Run("ask", func(t *testing.T) {
		for _, i := range implementations {
			t.Run(i.name, func(t *testing.T) {
				t.Parallel()
				each(i.name, i.ask(t, questions, answers))
			})
		}
	})
}
