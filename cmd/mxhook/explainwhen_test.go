package main

import (
	"strings"
	"testing"
)

const explainWhenConfig = `hostname: mx.in.example
sinks:
  app: {type: dir, path: ./app}
  rest: {type: dir, path: ./rest}
routes:
  - {name: large, recipient: "@in.example", when: {size: ">10MiB"}, reject: "552 5.3.4 too large"}
  - {name: copy, recipient: "@in.example", when: {subject: "*copy*"}, deliver: [rest], continue: true}
  - {name: proved, recipient: "@in.example", when: {from_verified: true, from: "*@customer.example"}, deliver: [app]}
  - {name: rest, recipient: "bob@in.example", deliver: [rest]}
`

// TestExplainWhen wants explain to tell what decides, and with a message what that
// decides, as far as nobody needs to be asked.
func TestExplainWhen(t *testing.T) {
	config := writeFile(t, "mxhook.yaml", explainWhenConfig)
	const ann, eve = "From: ann@customer.example\nSubject: a copy\n\nText.\n", "From: eve@evil.example\nSubject: x\n\nText.\n"
	for _, c := range []struct {
		name, message, rcpt string
		want, never         []string
	}{
		{"without a message all that may become of it", "", "bob@in.example", []string{
			`route proved: recipient "@in.example" matches: if, after the data, from_verified is true and each author (From) matches "*@customer.example", delivered to app; otherwise the search goes on`,
			`route rest: recipient "bob@in.example" matches: unless a route before it ends the search, delivered to rest`,
			"=> accepted at RCPT; the message decides, see --message:\n     if the size is >10MiB: route large, refused with 552 5.3.4 too large\n     otherwise if the subject",
			"     and if from_verified is true and each author", "     otherwise route rest, delivered to rest\n",
		}, nil},
		{"a message decides what needs no DNS", ann, "bob@in.example", []string{
			"route large: the size is >10MiB: no, the size is ", `route copy: the subject matches "*copy*": yes`,
			"route proved: from_verified is true: not known offline", `route proved: each author (From) matches "*@customer.example": yes`,
			"after the data:\n     route copy, delivered to rest\n     and if from_verified is true and", "     otherwise route rest",
		}, []string{"route large, refused"}},
		{"a condition that fails makes the verdict needless", eve, "bob@in.example", []string{
			`no, the message is from "eve@evil.example"`, "after the data:\n     route rest, delivered to rest\n",
		}, []string{"if from_verified is true", "route copy, delivered"}},
		{"nobody takes it", eve, "ann@in.example", []string{"after the data:\n     taken by none: refused with 550 5.7.1 "}, nil},
		{"but postmaster", eve, "postmaster", []string{
			"route copy: if no route takes it after the data: postmaster is always accepted",
			"after the data:\n     route copy, delivered to rest, since postmaster is always accepted\n"}, nil},
		{"somebody has taken it, and the rest is open", ann, "ann@in.example", []string{
			"     route copy, delivered to rest\n     and if from_verified is true"}, []string{"taken by none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"explain", "-c", config, c.rcpt}
			if c.message != "" {
				args = append(args, "--message", writeFile(t, "m.eml", c.message))
			}
			got := runCommand(t, "", args...)
			for _, want := range c.want {
				if got.status != exitGood || !strings.Contains(got.stdout, want) {
					t.Errorf("%q is missing", want)
				}
			}
			for _, never := range c.never {
				if strings.Contains(got.stdout, never) {
					t.Errorf("%q is there", never)
				}
			}
			if t.Failed() {
				t.Logf("%s%s", got.stdout, got.stderr)
			}
		})
	}
	if got := runCommand(t, "", "explain", "-c", config, "bob@in.example", "--message", config+".none"); got.status != exitProblem {
		t.Errorf("a message that is not there: %+v", got)
	}
}

func TestInspectDoesNotGuessVerdicts(t *testing.T) {
	config := writeFile(t, "mxhook.yaml", explainWhenConfig)
	message := writeFile(t, "m.eml", "From: ann@customer.example\nTo: bob@in.example\n\nText.\n")
	got := runCommand(t, "", "inspect", "-c", config, message)
	if got.status != exitProblem || !strings.Contains(got.stderr, "bob@in.example> is refused: 451 4.4.3 ") || !strings.Contains(got.stderr, "--verify") {
		t.Errorf("%+v", got)
	}
}
