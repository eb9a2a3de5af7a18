package verify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"mxhook/verify/dmarc"
	"mxhook/verify/dns"
)

// knownDMARC are the differences in DMARC.
var knownDMARC = []difference{}

// tree is a made-up piece of the DNS, and a message from there.
type tree struct {
	texts             map[string][]string
	author, spf, dkim string
}

// plant makes a tree. Names are of one branch and its neighbours, so that much is related.
func plant(r *rand.Rand) tree {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	labels := []string{"example"}
	for range 1 + r.IntN(9) {
		labels = append([]string{pick("a", "b", "c", "co")}, labels...)
	}
	at := func() string { return strings.Join(labels[r.IntN(len(labels)):], ".") }
	t := tree{texts: map[string][]string{}, author: at(), spf: at(), dkim: at()}
	if r.IntN(4) == 0 {
		t.author = "missing." + t.author
	}
	if r.IntN(4) == 0 {
		t.spf = "x." + t.spf
	}
	if r.IntN(8) == 0 {
		t.dkim = "elsewhere.test"
	}
	for i := range labels {
		if r.IntN(5) < 2 {
			name := "_dmarc." + strings.Join(labels[i:], ".")
			t.texts[name] = append(t.texts[name], policyRecord(r))
			if r.IntN(12) == 0 {
				t.texts[name] = append(t.texts[name], policyRecord(r))
			}
		}
	}
	return t
}

func policyRecord(r *rand.Rand) string {
	record := "v=DMARC1"
	add := func(chance int, tag string, values ...string) {
		if r.IntN(10) < chance {
			record += ";" + []string{" ", "", " \t"}[r.IntN(3)] + tag + "=" + values[r.IntN(len(values))]
		}
	}
	policies := []string{"none", "quarantine", "reject", "reject", "Reject", "quarantine", "none", "maybe"}
	add(9, "p", policies...)
	add(3, "sp", policies...)
	add(3, "np", policies...)
	add(4, "psd", "y", "n", "u", "n", "x")
	add(2, "t", "y", "n")
	add(2, "adkim", "s", "r")
	add(2, "aspf", "s", "r")
	add(2, "pct", "0", "50")
	add(3, "rua", "mailto:x@example", "bad", "mailto:a@example,mailto:b@example")
	add(1, "ruf", "mailto:x@example")
	if r.IntN(20) == 0 {
		record = []string{"v=spf1 -all", "V=DMARC1; p=reject", "v=DMARC1 ; p=reject;", "p=reject; v=DMARC1", "v=dmarc1; p=reject"}[r.IntN(5)]
	}
	return record
}

// zone is the tree for us. What has a record, or something below it, exists.
func (tr tree) zone(t *testing.T) *dns.Zone {
	var text strings.Builder
	for name, list := range tr.texts {
		for _, one := range list {
			text.WriteString(txt(name, one))
		}
	}
	z, err := dns.ParseZone(text.String())
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// names is the same for the others: a name that exists without a text has "".
func (tr tree) names() map[string]any {
	names := map[string]any{}
	for name := range tr.texts {
		for up := name; up != ""; _, up, _ = strings.Cut(up, ".") {
			names[up] = ""
		}
	}
	for name, list := range tr.texts {
		names[name] = list
	}
	return names
}

func TestDMARCAgreesWithMailauth(t *testing.T) {
	r := rand.New(rand.NewPCG(9989, 1))
	var trees []tree
	var questions []any
	for range 1500 {
		tr := plant(r)
		trees = append(trees, tr)
		questions = append(questions, map[string]any{"records": tr.names()},
			map[string]any{"from": "ann@" + tr.author, "spf": []string{tr.spf}, "dkim": []string{tr.dkim}})
	}
	c := compare(t, knownDMARC)
	var list []said
	for _, i := range implementations {
		if i.name == "mailauth" {
			list = i.ask(t, questions, len(trees))
		}
	}
	results := map[string]int{}
	for i, tr := range trees {
		theirs := statement{Result: list[i].DMARC, Reason: list[i].Policy}
		if list[i].Fault != "" || list[i].DMARC != "fail" {
			theirs.Reason = list[i].Fault
		}
		ours := tr.evaluate(t)
		results[ours.Result]++
		c.result(fmt.Sprintf("author %s, spf %s, dkim %s, %q", tr.author, tr.spf, tr.dkim, tr.texts), ours, theirs)
	}
	t.Logf("%v", results)
	c.end(true)
}

func (tr tree) evaluate(t *testing.T) statement {
	ctx, z := context.Background(), tr.zone(t)
	p, err := dmarc.Discover(ctx, z, tr.author)
	if err != nil {
		t.Fatal(err)
	}
	spf, errSPF := p.SPFAligned(ctx, z, tr.spf)
	dkim, errDKIM := p.DKIMAligned(ctx, z, tr.dkim)
	if errSPF != nil || errDKIM != nil {
		t.Fatal(errSPF, errDKIM)
	}
	result, disposition := p.Evaluate(spf || dkim, false)
	s := statement{Result: string(result)}
	if s.Result == "fail" {
		s.Reason = disposition
	}
	return s
}

// result compares result and policy.
func (c *comparison) result(sample string, ours, theirs statement) {
	c.total["mailauth"]++
	if ours == theirs {
		c.agreed["mailauth"]++
		return
	}
	for i, row := range c.rows {
		if row.explains("mailauth", sample, ours, theirs) {
			c.used[i]++
			return
		}
	}
	c.t.Errorf("%s: mailauth says %q, here it is %q", sample, theirs, ours)
}
