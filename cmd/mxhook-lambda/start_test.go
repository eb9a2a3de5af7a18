package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// parameterStore speaks enough of SSM to be asked for parameters, a page each.
type parameterStore struct {
	*httptest.Server
	values [][2]string
	code   string // of an error
	asked  []map[string]any
}

func newParameters(t *testing.T, values ...[2]string) *parameterStore {
	s := &parameterStore{values: values}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	t.Setenv("AWS_ENDPOINT_URL_SSM", s.URL)
	return s
}

func (s *parameterStore) serve(w http.ResponseWriter, r *http.Request) {
	var q map[string]any
	json.NewDecoder(r.Body).Decode(&q)
	s.asked = append(s.asked, q)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if s.code != "" || r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParametersByPath" {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"__type": s.code, "message": "User: arn:aws:iam::123456789012:role/secret is not authorized"})
		return
	}
	i := 0
	if token, ok := q["NextToken"].(string); ok {
		i = int(token[0] - '0')
	}
	page := map[string]any{"Parameters": []any{}}
	if i < len(s.values) {
		page["Parameters"] = []any{map[string]string{"Name": s.values[i][0], "Type": "SecureString", "Value": s.values[i][1]}}
	}
	if i+1 < len(s.values) {
		page["NextToken"] = string(rune('0' + i + 1))
	}
	json.NewEncoder(w).Encode(page)
}

// begin starts a handler in an environment, and returns why it doesn't start.
func begin(t *testing.T, env map[string]string) error {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "aws-secret", "AWS_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	h, err := start(t.Context(), func(name string) (string, bool) { v, ok := env[name]; return v, ok }, io.Discard)
	if err == nil {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}
	return err
}

func smallest(t *testing.T, more string) string {
	return `
hostname: mx.in.example
state: ` + filepath.ToSlash(t.TempDir()) + `
limits: {disk_reserve: 0}
delivery: {ledger: 0}
sinks: {app: {type: webhook, url: "https://app.example/${PLACE:-mail}", secret: "${MXHOOK_SECRET}"}}
routes: [{recipient: "@in.example", deliver: [app]` + more + `}]
`
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestSecretsComeFromParameters(t *testing.T) {
	s := newParameters(t, [2]string{"/mxhook/prod/MXHOOK_SECRET", secret}, [2]string{"/mxhook/prod/OTHER", "x"})
	if err := begin(t, map[string]string{envSSMPath: "/mxhook/prod/", envConfigText: smallest(t, "")}); err != nil {
		t.Fatal(err)
	}
	if len(s.asked) != 2 || s.asked[0]["WithDecryption"] != true || s.asked[0]["Path"] != "/mxhook/prod/" {
		t.Errorf("asked %v", s.asked)
	}
	// The environment goes first: a parameter that is no secret of ours would be a fault.
	s.values[0][1] = "no secret"
	if err := begin(t, map[string]string{envSSMPath: "/mxhook/prod/", envConfigText: smallest(t, ""), "MXHOOK_SECRET": secret}); err != nil {
		t.Error(err)
	}
}

func TestTheConfigurationLiesBesideTheProgramOrWhereItIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "worker.yaml")
	if err := os.WriteFile(file, []byte(smallest(t, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, map[string]string{envConfig: file, "MXHOOK_SECRET": secret}); err != nil {
		t.Error(err)
	}
	err := begin(t, nil)
	if program, _ := os.Executable(); err == nil || !strings.Contains(err.Error(), filepath.Join(filepath.Dir(program), "mxhook.yaml")) {
		t.Errorf("no file: %v", err)
	}
}

func TestWhyItDoesNotStart(t *testing.T) {
	text := smallest(t, "")
	with := func(more string) map[string]string {
		return map[string]string{envConfigText: text + more, "MXHOOK_SECRET": secret}
	}
	replaced := func(old, by string) map[string]string {
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not there", old)
		}
		return map[string]string{envConfigText: strings.Replace(text, old, by, 1), "MXHOOK_SECRET": secret}
	}
	ssm := func(path string) map[string]string { return map[string]string{envSSMPath: path, envConfigText: text} }
	for rule, c := range map[string]struct {
		env    map[string]string
		values [][2]string
		code   string
		says   string
	}{
		"no parameter":               {env: ssm("/mxhook/prod/"), says: "no parameter below /mxhook/prod/"},
		"a path that is none":        {env: ssm("mxhook"), says: `"mxhook" must begin with /`},
		"not allowed":                {env: ssm("/mxhook/prod/"), code: "AccessDeniedException", says: "AccessDeniedException; does the function's role allow"},
		"a name that is none":        {env: ssm("/p/"), values: [][2]string{{"/p/web-hook", "hidden"}}, says: `parameter "/p/web-hook"`},
		"a value that is none":       {env: ssm("/p/"), values: [][2]string{{"/p/MXHOOK_SECRET", "hidden value"}}, says: "MXHOOK_CONFIG_TEXT:6:"},
		"a parameter is missing":     {env: ssm("/p/"), values: [][2]string{{"/p/OTHER", "hidden"}}, says: "environment variable MXHOOK_SECRET is not set"},
		"a faulty configuration":     {env: with("colour: red\n"), says: "colour"},
		"a ledger":                   {env: replaced("delivery: {ledger: 0}", ""), says: "ledger must be 0"},
		"a spool":                    {env: replaced("deliver: [app]", "deliver: [app], mode: spool"), says: "mode: spool"},
		"a folder":                   {env: replaced("sinks: {", "sinks: {disk: {type: dir, path: /tmp/mail}, "), says: "disk is a folder"},
		"a state elsewhere":          {env: replaced("state: ", "state: /var/lib/mxhook #"), says: "state must be below"},
		"no room":                    {env: replaced("disk_reserve: 0", "disk_reserve: 1000000GiB"), says: "disk_reserve"},
		"a bucket, but no routes":    {env: map[string]string{envSESBucket: "b", envConfigText: strings.Split(text, "routes:")[0] + `sources: [{type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/1/q", deliver: [app]}]`, "MXHOOK_SECRET": secret}, says: "no routes"},
		"several faults at the same": {env: replaced("delivery: {ledger: 0}", "delivery: {ledger: 1h}\n#"), says: "ledger must be 0"},
	} {
		t.Run(rule, func(t *testing.T) {
			s := newParameters(t, c.values...)
			s.code = c.code
			err := begin(t, c.env)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v", err)
			}
			for _, hidden := range []string{"hidden", secret, "aws-secret", "arn:aws"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("%q stands in %v", hidden, err)
				}
			}
		})
	}
}
