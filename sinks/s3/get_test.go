package s3_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks/cloud"
	"mxhook/sinks/s3"
)

func TestGet(t *testing.T) {
	long := strings.Repeat("0123456789", 30_000) // more than what is read of other answers
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/mail/in/long":
			io.WriteString(w, long)
		case strings.HasSuffix(r.URL.Path, "secret"):
			refuse(w, 403, "AccessDenied")
		case strings.HasSuffix(r.URL.Path, "broken"):
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
		default:
			refuse(w, 404, "NoSuchKey")
		}
	}))
	defer server.Close()
	s, err := s3.New(s3.Config{Bucket: "mail", PathStyle: true, Cloud: cloud.Config{Name: "archive", Endpoint: server.URL, AccessKeyID: accessKey, SecretAccessKey: secretKey}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	body, err := s.Get(t.Context(), "in/long")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if body.Close(); err != nil || string(got) != long {
		t.Errorf("%d octets, %v", len(got), err)
	}
	if _, err := s.Get(t.Context(), "in/other"); !errors.Is(err, s3.ErrNoObject) {
		t.Error(err)
	}
	_, err = s.Get(t.Context(), "in/secret")
	if status.ConditionOf(err) != status.SinkOperator || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "in/secret") {
		t.Error(err)
	}
	body, err = s.Get(t.Context(), "in/broken")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(body); err == nil {
		t.Error("half an object was taken for a whole one")
	}
	body.Close()
	server.Close()
	if _, err := s.Get(t.Context(), "in/long"); status.ConditionOf(err) != status.SinkUnavailable {
		t.Error(err)
	}
}
