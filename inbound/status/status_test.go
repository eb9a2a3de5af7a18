package status_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"mxhook/inbound/status"
)

var update = flag.Bool("update", false, "rewrite the table in inbound/README.md")

func TestEachRowKeepsTheRules(t *testing.T) {
	names := map[string]bool{}
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, c := range status.All() {
		r := c.Reply()
		if names[c.Name()] || !name.MatchString(c.Name()) {
			t.Errorf("%s: the name is taken or no label", c.Name())
		}
		names[c.Name()] = true
		if class := r.Code / 100; class != 3 && r.Enhanced[0] != class || class == 3 && r.Enhanced != [3]int{} {
			t.Errorf("%s: %s: classes contradict each other", c.Name(), r)
		}
		if want := r.Code == 421 || r.Code == 521; c.Closes() != want {
			t.Errorf("%s: closes is %v", c.Name(), c.Closes())
		}
		if r.Text == "" || r.Text != status.CleanText(r.Text, 400) {
			t.Errorf("%s: text %q", c.Name(), r.Text)
		}
		if status.ConditionOf(c.Wrap("op", nil)) != c || status.ReplyOf(c.Wrap("op", nil)) != r {
			t.Errorf("%s: is lost when it is wrapped", c.Name())
		}
	}
}

// TestAllIsWhole finds a row that was declared and not listed.
func TestAllIsWhole(t *testing.T) {
	src, err := os.ReadFile("condition.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, c := range status.All() {
		listed[c.Name()] = true
	}
	rows := regexp.MustCompile(`= row\("([a-z0-9_]+)"`).FindAllSubmatch(src, -1)
	for _, m := range rows {
		if !listed[string(m[1])] {
			t.Errorf("All lacks %s", m[1])
		}
	}
	if len(rows) != len(listed) {
		t.Errorf("%d rows are declared, %d listed", len(rows), len(listed))
	}
}

func TestAnErrorBecomesAReply(t *testing.T) {
	cause := errors.New("secret")
	own := status.Reply{Code: 550, Enhanced: [3]int{5, 1, 6}, Text: "moved"}
	for _, c := range []struct {
		name  string
		err   error
		class status.Class
		cond  *status.Condition
		reply string
	}{
		{"nil", nil, status.Success, status.Delivered, "250 2.0.0 OK"},
		{"a condition", status.UnknownRecipient.Wrap("rcpt", cause), status.Permanent, status.UnknownRecipient, "550 5.1.1 no such recipient"},
		{"a condition in other errors", fmt.Errorf("x: %w", errors.Join(cause, status.SinkTimeout.Wrap("post", cause))), status.Temporary, status.SinkTimeout, "451 4.4.1 destination not answering in time"},
		{"no condition", cause, status.Temporary, status.LocalError, "451 4.3.0 temporary local error, try again later"},
		{"a reply of its own", status.RouteRejects.WithReply("rcpt", nil, own), status.Permanent, status.RouteRejects, "550 5.1.6 moved"},
		{"421 is the server's own", status.SinkRefused.WithReply("post", nil, status.Reply{Code: 421, Enhanced: [3]int{4, 0, 0}, Text: "x"}), status.Permanent, status.SinkRefused, "550 5.7.1 refused by the destination"},
		{"a success is no refusal", status.SinkRefused.WithReply("post", nil, status.Reply{Code: 250, Enhanced: [3]int{2, 0, 0}, Text: "x"}), status.Permanent, status.SinkRefused, "550 5.7.1 refused by the destination"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := status.ReplyOf(c.err).String(); got != c.reply {
				t.Errorf("reply %q, want %q", got, c.reply)
			}
			if status.ClassOf(c.err) != c.class || status.ConditionOf(c.err) != c.cond {
				t.Errorf("%v, %s", status.ClassOf(c.err), status.ConditionOf(c.err).Name())
			}
		})
	}
	err := status.SinkTimeout.Wrap("post", cause)
	if !errors.Is(err, cause) || err.Error() != "sink_timeout: post: secret" {
		t.Errorf("%v", err)
	}
}

func TestParseReply(t *testing.T) {
	for _, c := range []struct{ in, want, fault string }{
		{"550 5.1.6 the mailbox has moved", "550 5.1.6 the mailbox has moved", ""},
		{" 451  4.3.0   later\t", "451 4.3.0 later", ""},
		{"550 5.7.1", "550 5.7.1 ", ""},
		{"554 5.7.1 a\r\n250 ok", "554 5.7.1 a", ""},
		{"550 5.7.1 caf\xc3\xa9 \x1b[31m", "550 5.7.1 caf [31m", ""},
		{"550 5.7.1 " + strings.Repeat("x", 900), "550 5.7.1 " + strings.Repeat("x", 400), ""},
		{"", "", "code must be"},
		{"250 2.0.0 ok", "", "code must be"},
		{"600 5.0.0 x", "", "code must be"},
		{"+50 5.0.0 x", "", "code must be"},
		{"421 4.3.2 x", "", "reserved"},
		{"550 no such user", "", "enhanced"},
		{"550 5.1 x", "", "enhanced"},
		{"550 5.1.1000 x", "", "enhanced"},
		{"550 5.1.+1 x", "", "enhanced"},
		{"550 5..1 x", "", "enhanced"},
		{"550 5.-1.1 x", "", "enhanced"},
		{"550 4.7.1 x", "", "different classes"},
	} {
		got, err := status.ParseReply(c.in)
		switch {
		case c.fault == "" && (err != nil || got.String() != c.want):
			t.Errorf("%q: %q, %v, want %q", c.in, got, err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%q: %q, %v, want a fault with %q", c.in, got, err, c.fault)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add("550 5.1.1 no")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := status.ParseReply(s)
		if err != nil {
			return
		}
		line := r.String()
		if r.Code == 421 || r.Code < 400 || r.Code > 599 || r.Enhanced[0] != r.Code/100 || len(line) > 500 || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("%q became %q", s, line)
		}
		if again, err := status.ParseReply(line); err != nil || again != r {
			t.Fatalf("%q became %q, which is read %+v, %v", s, line, again, err)
		}
	})
}

func TestClassNames(t *testing.T) {
	if got := fmt.Sprint(status.Success, status.Temporary, status.Permanent, status.Class(3)); got != "success temporary permanent class(3)" {
		t.Error(got)
	}
}

// TestTheREADMEHasTheTable keeps the table of inbound/README.md true.
func TestTheREADMEHasTheTable(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- conditions -->\n", "<!-- /conditions -->\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("no markers in", file)
	}
	want := before + begin + table() + end + after
	if want == string(b) {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the table in the code; run go test ./inbound/status -update", file)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("| condition | reply | then |\n|---|---|---|\n")
	for _, c := range status.All() {
		then := "goes on"
		if c.Closes() || c == status.Bye {
			then = "closes"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", c.Name(), strings.ReplaceAll(c.Reply().String(), "|", `\|`), then)
	}
	return b.String()
}
