package authres_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mxhook/verify/authres"
)

// reader reads one body a line, as JSON, and writes what it says: method, result, and
// each property.
const reader = `
import json, sys, authres
for line in sys.stdin:
    h = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + json.loads(line))
    print(json.dumps([h.authserv_id] + [[r.method, r.result] + [[p.type, p.name, p.value] for p in r.properties] for r in h.results]))
`

// python finds an interpreter that has authres, or skips, or fails where all must be here.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import authres").Run() == nil {
			return name
		}
	}
	if os.Getenv("MXHOOK_INTEROP") == "require" {
		t.Fatal("python3-authres is not installed, and MXHOOK_INTEROP=require")
	}
	t.Skip("python3-authres is not installed")
	return ""
}

// TestPythonReadsWhatIsWritten has another reader of RFC 8601 read fields whose values a
// sender chose.
func TestPythonReadsWhatIsWritten(t *testing.T) {
	python := python(t)
	property := func(ptype, name, value string) authres.Property {
		return authres.Property{Type: ptype, Name: name, Value: value}
	}
	var in strings.Builder
	var want []string
	for _, hostile := range []string{
		"ann@sender.example", "SRS0=x/y+z=TT=sender.example=ann@fwd.example", `"x; dmarc=pass header.from=bank.example y"@evil.example`,
		"dmarc=pass@evil.example", "a\r\nTo: you", `") (\`, "2001:db8::1", "(", "\\", "a b", "x,y", "@sender.example", "a@b@c", "bücher.example", "=?utf-8?q?x?=", "'", "[192.0.2.1]", "a/1",
	} {
		// This reader passes over a quoted value that is not the last one of its method.
		statements := []authres.Statement{
			{Method: authres.MethodSPF, Result: authres.Fail, Reason: hostile, Properties: []authres.Property{property("smtp", "mailfrom", hostile)}},
			{Method: authres.MethodDKIM, Result: authres.Pass, Comment: hostile, Properties: []authres.Property{
				property("header", "d", "a.example"), property("header", "i", "ann=x/y@a.example"), property("header", "a", "rsa-sha256"), property("header", "s", hostile)}},
			{Method: authres.MethodDKIM, Result: authres.Pass, Properties: []authres.Property{property("header", "d", "a.example"), property("header", "b", "ab/d+fgh")}},
			{Method: authres.MethodDMARC, Result: authres.PermError, Comment: "p=reject dis=none", Reason: hostile, Properties: []authres.Property{
				property("header", "from", "a.example"), property("policy", "dmarc", "reject")}},
			{Method: authres.MethodIPRev, Result: authres.TempError, Reason: hostile, Properties: []authres.Property{property("policy", "iprev", hostile)}},
		}
		line, err := json.Marshal(authres.Header("mx.in.example", statements))
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
		said := []any{"mx.in.example"}
		for _, s := range statements {
			one := []any{s.Method, s.Result}
			for _, p := range s.Properties {
				one = append(one, []string{p.Type, p.Name, authres.Value(p.Value)})
			}
			said = append(said, one)
		}
		text, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, string(text))
	}
	cmd := exec.Command(python, "-c", reader)
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines of %d:\n%s", len(got), len(want), out)
	}
	for i := range want {
		var g, w any
		if json.Unmarshal([]byte(got[i]), &g) != nil || json.Unmarshal([]byte(want[i]), &w) != nil {
			t.Fatalf("no JSON: %s", got[i])
		}
		gs, _ := json.Marshal(g)
		ws, _ := json.Marshal(w)
		if string(gs) != string(ws) {
			t.Errorf("read %s\nwrote %s", gs, ws)
		}
	}
}
