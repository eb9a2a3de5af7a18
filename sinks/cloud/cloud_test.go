package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
)

// alone keeps the environment and the files of this host away.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	none := t.TempDir()
	t.Setenv("AWS_CONFIG_FILE", none+"/config")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none+"/credentials")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func newClient(t *testing.T, c Config) *Client {
	t.Helper()
	c.Name, c.Backoff = "archive", time.Millisecond
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func keys(c Config) Config {
	c.AccessKeyID, c.SecretAccessKey = "AKID-canary", "secret-canary"
	return c
}

// put is a send of one object of the body.
func put(body string) func(context.Context, *aws.Config) error {
	return func(ctx context.Context, sdk *aws.Config) error {
		_, err := s3.NewFromConfig(*sdk, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(ctx,
			&s3.PutObjectInput{Bucket: aws.String("mail"), Key: aws.String("k"), Body: strings.NewReader(body)})
		return err
	}
}

func answer(code int, s3code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
		if s3code != "" {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>AKID-canary is bad</Message></Error>", s3code)
		}
	}
}

func TestWhatAServersAnswerMeans(t *testing.T) {
	alone(t)
	for _, c := range []struct {
		code     int
		s3code   string
		want     *status.Condition
		attempts int
		health   sinks.Health
		words    string
	}{
		{200, "", status.Delivered, 1, sinks.Well, ""},
		{403, "InvalidAccessKeyId", status.SinkOperator, 1, sinks.Well, "access key is unknown"},
		{403, "SignatureDoesNotMatch", status.SinkOperator, 1, sinks.Well, "secret access key"},
		{403, "AccessDenied", status.SinkOperator, 1, sinks.Well, "don't permit"},
		{400, "ExpiredToken", status.SinkOperator, 1, sinks.Well, "expired"},
		{403, "RequestTimeTooSkewed", status.SinkOperator, 3, sinks.Well, "clock"},
		{404, "NoSuchBucket", status.SinkOperator, 1, sinks.Well, "bucket doesn't exist"},
		{301, "PermanentRedirect", status.SinkOperator, 1, sinks.Well, "another region"},
		{307, "TemporaryRedirect", status.SinkOperator, 1, sinks.Well, "another region"},
		{400, "AuthorizationHeaderMalformed", status.SinkOperator, 1, sinks.Well, "region"},
		{501, "NotImplemented", status.SinkOperator, 1, sinks.Well, "NotImplemented"},
		{400, "Bad <Name>", status.SinkOperator, 1, sinks.Well, "HTTP 400"},
		{409, "ConditionalRequestConflict", status.SinkBusy, 3, sinks.Well, "HTTP 409"},
		{503, "SlowDown", status.SinkBusy, 3, sinks.Unreachable, "SlowDown"},
		{400, "ThrottlingException", status.SinkBusy, 3, sinks.Unreachable, "ThrottlingException"},
		{429, "", status.SinkBusy, 3, sinks.Unreachable, "HTTP 429"},
		{400, "RequestTimeout", status.SinkBusy, 3, "", "RequestTimeout"},
		{500, "InternalError", status.SinkFailed, 3, sinks.Failing, "HTTP 500"},
		{502, "", status.SinkFailed, 3, sinks.Unreachable, "HTTP 502"},
		{504, "", status.SinkTimeout, 3, sinks.Unreachable, "HTTP 504"},
		{400, "EntityTooLarge", status.SinkTooBig, 1, sinks.Well, "EntityTooLarge"},
		{413, "", status.SinkTooBig, 1, sinks.Well, "HTTP 413"},
	} {
		t.Run(fmt.Sprint(c.code, " ", c.s3code), func(t *testing.T) {
			w := &witness{}
			o := newClient(t, keys(Config{Endpoint: serve(t, answer(c.code, c.s3code)), Observer: w})).Deliver(t.Context(), sinktest.NewEvent(10), put("x"))
			if status.ConditionOf(o.Err) != c.want || o.Attempts != c.attempts || !strings.Contains(o.Detail, c.words) || w.health != c.health || w.attempts != c.attempts {
				t.Errorf("%+v, health %q after %d", o, w.health, w.attempts)
			}
			if said := fmt.Sprint(o.Err, o.Detail); strings.Contains(said, "canary") || strings.Contains(said, "Name>") {
				t.Errorf("told: %s", said)
			}
		})
	}
}

type witness struct {
	health   sinks.Health
	attempts int
}

func (w *witness) Attempt(a sinks.Attempt) { w.health, w.attempts = a.Health, w.attempts+1 }

func (w *witness) Outcome(string, *status.Condition, time.Duration, bool) {}

func TestNothingIsAskedOfAServerWithoutCredentials(t *testing.T) {
	alone(t)
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came") })
	o := newClient(t, Config{Endpoint: url}).Deliver(t.Context(), sinktest.NewEvent(10), put("x"))
	if status.ConditionOf(o.Err) != status.SinkOperator || !strings.Contains(o.Detail, "no valid credentials") {
		t.Errorf("%+v", o)
	}
}

func TestARegionIsNeededAtAWSAlone(t *testing.T) {
	alone(t)
	_, err := newClient(t, keys(Config{})).SDK(t.Context())
	if status.ConditionOf(err) != status.SinkOperator || !strings.Contains(err.Error(), "region") {
		t.Error(err)
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	if sdk, err := newClient(t, keys(Config{})).SDK(t.Context()); err != nil || sdk.Region != "eu-central-1" {
		t.Error(sdk, err)
	}
}

func TestCredentialsOfTheEnvironmentAreReadAgainWhenTheServerKnowsThemNoMore(t *testing.T) {
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "OLD")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "Credential=OLD/") {
			answer(403, "InvalidAccessKeyId")(w, r)
		}
	})
	c := newClient(t, Config{Endpoint: url})
	if o := c.Deliver(t.Context(), sinktest.NewEvent(10), put("x")); status.ConditionOf(o.Err) != status.SinkOperator {
		t.Fatalf("%+v", o)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "NEW")
	if o := c.Deliver(t.Context(), sinktest.NewEvent(10), put("x")); status.ConditionOf(o.Err) != status.SinkOperator {
		t.Fatalf("read again at once: %+v", o)
	}
	c.loaded = c.loaded.Add(-2 * reloadTime)
	c.Deliver(t.Context(), sinktest.NewEvent(10), put("x"))
	if o := c.Deliver(t.Context(), sinktest.NewEvent(10), put("x")); o.Err != nil {
		t.Errorf("%+v", o)
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	alone(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	sdk, err := newClient(t, keys(Config{Region: "eu-central-1"})).SDK(t.Context())
	if err != nil || sdk.HTTPClient.(*client).transport.Proxy != nil {
		t.Error("the SDK's requests go through a proxy", err)
	}
}

func TestAnAttemptThatWasWrittenGoesOnBeyondTheBudget(t *testing.T) {
	alone(t)
	release := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-release
	})
	ctx, cancel := context.WithCancel(t.Context())
	// Traces are told after those that were set later, so the attempt knows it already.
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		cancel()
		close(release)
	}})
	if o := newClient(t, keys(Config{Endpoint: url})).Deliver(ctx, sinktest.NewEvent(10), put("x")); o.Err != nil || o.Attempts != 1 {
		t.Errorf("%+v", o)
	}
}

func TestAnAttemptThatCameToNoRequestInTimeIsNotTheOperators(t *testing.T) {
	alone(t)
	send := func(ctx context.Context, _ *aws.Config) error {
		<-ctx.Done()
		return ctx.Err()
	}
	o := newClient(t, keys(Config{Endpoint: "http://127.0.0.1:1", Timeout: time.Millisecond})).Deliver(t.Context(), sinktest.NewEvent(10), send)
	if status.ConditionOf(o.Err) != status.SinkTimeout {
		t.Errorf("%+v", o)
	}
}

func TestAnAttemptThatWasNotWrittenEndsWithTheBudget(t *testing.T) {
	alone(t)
	came, over := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		r.Body.Read(make([]byte, 1))
		close(came)
		<-over
	})
	defer close(over)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-came
		cancel()
	}()
	o := newClient(t, keys(Config{Endpoint: url})).Deliver(ctx, sinktest.NewEvent(10), put(strings.Repeat("x", 32<<20)))
	if status.ConditionOf(o.Err) != status.BudgetExceeded || o.Attempts != 1 {
		t.Errorf("%+v", o)
	}
}

func TestNothingReadsTheBodyWhenDeliverHasReturned(t *testing.T) {
	alone(t)
	url := serve(t, answer(403, "AccessDenied"))
	var reading, over atomic.Bool
	send := func(ctx context.Context, sdk *aws.Config) error {
		body := &watched{Reader: strings.NewReader(strings.Repeat("x", 8<<20)), over: &over, late: &reading}
		_, err := s3.NewFromConfig(*sdk, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(ctx,
			&s3.PutObjectInput{Bucket: aws.String("mail"), Key: aws.String("k"), Body: body})
		over.Store(true)
		return err
	}
	newClient(t, keys(Config{Endpoint: url})).Deliver(t.Context(), sinktest.NewEvent(10), send)
	if reading.Load() {
		t.Error("the body was read after the attempt")
	}
}

type watched struct {
	*strings.Reader
	over, late *atomic.Bool
}

func (w *watched) Read(p []byte) (int, error) {
	if w.over.Load() {
		w.late.Store(true)
	}
	return w.Reader.Read(p)
}

func TestAKeptConnectionThatDiedIsReplaced(t *testing.T) {
	alone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // one answer a connection, which says that it goes on
				defer c.Close()
				c.Read(make([]byte, 64<<10))
				io.WriteString(c, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n")
			}()
		}
	}()
	c := newClient(t, keys(Config{Endpoint: "http://" + l.Addr().String(), Attempts: 2}))
	for i := range 5 {
		if o := c.Deliver(t.Context(), sinktest.NewEvent(10), put("x")); o.Err != nil {
			t.Errorf("%d: %+v", i, o)
		}
	}
}

func TestWordsOfTheServerAreNotTold(t *testing.T) {
	long := &smithy.GenericAPIError{Code: strings.Repeat("A", 65)}
	odd := &smithy.GenericAPIError{Code: "Access Denied\n"}
	for _, err := range []error{long, odd, errors.New("x")} {
		if Code(err) != "" {
			t.Errorf("%q", Code(err))
		}
	}
	if got := MeaningOf(403, "AccessDenied").Detail; got != "HTTP 403 AccessDenied: the credentials don't permit this" {
		t.Error(got)
	}
}

// TestAnAnswerWithoutACodeTellsItsStatusOnce: the SDK gives the number as the code.
func TestAnAnswerWithoutACodeTellsItsStatusOnce(t *testing.T) {
	for code, want := range map[string]string{"400": "HTTP 400", "": "HTTP 400", "InvalidBucketName": "HTTP 400 InvalidBucketName"} {
		if m := MeaningOf(400, code); len(m.Detail) < len(want) || m.Detail[:len(want)] != want || code == "400" && m.Detail != want {
			t.Errorf("%q: %q, want %q", code, m.Detail, want)
		}
	}
}
