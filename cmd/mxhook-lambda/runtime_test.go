package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runtime is Lambda's Runtime API: it hands out one event after the other and keeps the
// answers.
type runtime struct {
	*httptest.Server
	events  chan string
	answers chan string
}

func newRuntime(t *testing.T) *runtime {
	r := &runtime{events: make(chan string, 10), answers: make(chan string, 10)}
	const base = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	n := 0
	mux.HandleFunc("GET "+base+"invocation/next", func(w http.ResponseWriter, req *http.Request) {
		select {
		case <-req.Context().Done():
		case event := <-r.events:
			n++
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprint("request-", n))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:mxhook-worker")
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, event)
		}
	})
	answer := func(kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			w.WriteHeader(http.StatusAccepted)
			r.answers <- kind + " " + req.PathValue("id") + " " + string(body)
		}
	}
	mux.HandleFunc("POST "+base+"invocation/{id}/response", answer("response"))
	mux.HandleFunc("POST "+base+"invocation/{id}/error", answer("error"))
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

// program builds the program as it is deployed.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	file := filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

func TestTheProgram(t *testing.T) {
	bootstrap := program(t)
	t.Run("answers Lambda", func(t *testing.T) { answersLambda(t, bootstrap) })
	t.Run("says why it does not start", func(t *testing.T) { saysWhy(t, bootstrap) })
}

func answersLambda(t *testing.T, bootstrap string) {
	app, store, r := newApp(t), newStore(t), newRuntime(t)
	store.put(written("192.0.2.1") + sent)
	parameters := newParameters(t, [2]string{"/mxhook/test/APP_URL", app.URL})
	text := configText(t.TempDir(), "${APP_URL}") + "verify: {resolver: [\"127.0.0.1:1\"], timeout: 1s}\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(bootstrap), "mxhook.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, bootstrap)
	cmd.Dir = t.TempDir()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(r.URL, "http://"), "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_ENDPOINT_URL_SSM=" + parameters.URL, "AWS_ENDPOINT_URL_S3=" + store.URL, "TMPDIR=" + os.TempDir(),
		envSSMPath + "=/mxhook/test", envSESBucket + "=ses-inbound", envSESPrefix + "=in/",
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s", stderr.String())
		}
	}()
	began := time.Now()
	for _, c := range []struct{ event, answer string }{
		{`{"Records": [` + record(t, "m1", notification(t)) + `, ` + record(t, "m2", "hello") + `]}`, `response request-1 {"batchItemFailures":[{"itemIdentifier":"m2"}]}`},
		{strings.Replace(read(t, "testdata/sns.json"), "@SES@", quoted(notification(t)), 1), `response request-2 null`},
		{`{}`, `error request-3 {"errorMessage":"an event without Records`},
	} {
		r.events <- c.event
		select {
		case got := <-r.answers:
			if !strings.HasPrefix(got, c.answer) {
				t.Errorf("%s\nwant %s", got, c.answer)
			}
		case <-time.After(time.Minute):
			t.Fatal("no answer")
		}
		if began != (time.Time{}) {
			t.Logf("start and first answer: %v", time.Since(began).Round(time.Millisecond))
			began = time.Time{}
		}
	}
	if got := app.requests(); len(got) != 2 || got[0].id != got[1].id {
		t.Errorf("%+v", got)
	}
}

func saysWhy(t *testing.T, bootstrap string) {
	cmd := exec.Command(bootstrap)
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=127.0.0.1:1", "AWS_REGION=eu-central-1", envConfigText + "=hostname: x"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "mxhook-lambda: the configuration has faults:\n"+envConfigText+":1:1: ") {
		t.Errorf("%v: %s", err, out)
	}
}
