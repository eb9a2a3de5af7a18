package sqs_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"mxhook/sinks/cloud"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/sqs"
)

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/[0-9]{8}/eu-central-1/sqs/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// TestSignaturesAreThoseOfBoto: requests are recorded as they came over the wire and
// signed again by botocore, with the secret that the server shares with the sink.
func TestSignaturesAreThoseOfBoto(t *testing.T) {
	b := startBoto(t)
	f, recorded := startFake(t), make(chan map[string]any, 10)
	recorder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		headers := map[string]string{"Host": r.Host, "Content-Length": r.Header.Get("Content-Length")}
		for name := range r.Header {
			headers[name] = r.Header.Get(name)
		}
		recorded <- map[string]any{"method": r.Method, "url": "http://" + r.Host + r.URL.RequestURI(), "headers": headers, "body": base64.StdEncoding.EncodeToString(body)}
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(strings.NewReader(string(body)))
		f.serve(w, again)
	}))
	t.Cleanup(recorder.Close)
	for _, name := range []string{"jobs", "jobs.fifo"} {
		s := newSink(t, sqs.Config{Cloud: cloud.Config{Endpoint: recorder.URL}, QueueURL: "https://sqs.eu-central-1.amazonaws.com/123456789012/" + name})
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if o := s.Deliver(t.Context(), sinktest.NewEvent(5000, "ann@in.example")); o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	for range 4 {
		r := <-recorded
		header := r["headers"].(map[string]string)["Authorization"]
		m := authorization.FindStringSubmatch(header)
		if m == nil {
			t.Fatalf("Authorization: %s", header)
		}
		for _, needed := range []string{"host", "x-amz-date", "x-amz-target"} {
			if !strings.Contains(";"+m[1]+";", ";"+needed+";") {
				t.Errorf("%s is not signed: %s", needed, m[1])
			}
		}
		r["do"], r["signed_headers"], r["key_id"], r["secret"], r["region"] = "sign", m[1], "AKIDEXAMPLE", "key-canary", "eu-central-1"
		var answer struct{ Signature, Canonical string }
		if b.ask(r, &answer); answer.Signature != m[2] {
			t.Errorf("signature %s, botocore's %s of\n%s", m[2], answer.Signature, answer.Canonical)
		}
		r["secret"] = "another"
		if b.ask(r, &answer); answer.Signature == m[2] {
			t.Error("another secret gives the same signature")
		}
	}
}
