// Package cloud is what sinks on the APIs of AWS, and of servers that speak them, share:
// the SDK's configuration with credentials (Client.SDK), the attempts of an event inside
// its budget (Client.Deliver), and what an answer means (Meaning).
//
// The SDK's own retries are off, so that they don't multiply with ours. Connections are
// the sink's own: no redirect is followed, no proxy of the environment is used, and at
// most 64 KiB of an answer is read. Nothing of a text of the SDK or of a server is told but
// the server's error code: those texts hold access keys, signatures and keys of objects.
//
// It is safe for concurrent use. Sources: the S3 and SQS API references (error responses).
package cloud

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/internal/attempt"
)

// Config says where an API is and who we are there. Only Name is needed.
type Config struct {
	Name string // the sink's
	// Region is "" for the one of the environment (AWS_REGION) or of the shared files.
	Region string
	// Endpoint is the URL of another server than AWS's; "" is AWS's, or what the
	// environment says (AWS_ENDPOINT_URL).
	Endpoint string
	// The keys are "" for the SDK's own chain: environment, shared files, web identity,
	// container, instance role.
	AccessKeyID, SecretAccessKey, SessionToken string

	Timeout     time.Duration // one attempt, default 25 s
	Attempts    int           // inside the budget, default 3
	Concurrency int           // events at once, default 64
	// Backoff is the wait before the second attempt, doubled for each further one and
	// spread by half to one and a half; default 500 ms.
	Backoff  time.Duration
	TLS      *tls.Config   // nil: system roots, or AWS_CA_BUNDLE
	Resolver *net.Resolver // nil is the system's
	Log      *slog.Logger  // nil: silent
	Observer sinks.Observer
}

// credentialsTime bounds how long an attempt waits for credentials, which the SDK may ask
// for at an address that never answers.
const credentialsTime = 5 * time.Second

// Client is one sink's way to an API.
type Client struct {
	config Config
	slots  chan struct{}
	log    *slog.Logger

	mu        sync.Mutex
	sdk       *aws.Config // nil until it was loaded
	loaded    time.Time
	transport *http.Transport
}

// New returns a Client. It reads and opens nothing.
func New(c Config) (*Client, error) {
	c.Timeout, c.Attempts = cmp.Or(c.Timeout, 25*time.Second), cmp.Or(c.Attempts, 3)
	c.Concurrency, c.Backoff = cmp.Or(c.Concurrency, 64), cmp.Or(c.Backoff, 500*time.Millisecond)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	switch {
	case c.Name == "":
		return nil, errors.New("a sink needs a name")
	case c.Timeout < 0 || c.Attempts < 0 || c.Concurrency < 0 || c.Backoff < 0:
		return nil, errors.New("timeout, attempts, concurrency and backoff must be positive")
	case (c.AccessKeyID == "") != (c.SecretAccessKey == ""), c.SessionToken != "" && c.AccessKeyID == "":
		return nil, errors.New("access_key_id and secret_access_key belong together; session_token goes with both")
	}
	return &Client{config: c, slots: make(chan struct{}, c.Concurrency), log: c.Log.With("sink", c.Name)}, nil
}

// Close closes the connections that wait for use. Deliver must have returned.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// Op names the sink in errors.
func (c *Client) Op() string { return "sink " + c.config.Name }

// Fail is the outcome of an event that came to no attempt.
func (c *Client) Fail(condition *status.Condition, detail string) sinks.Outcome {
	return sinks.Outcome{Err: condition.Wrap(c.Op(), errors.New(detail)), Detail: detail}
}

// SDK returns the SDK's configuration. It is loaded at the first use, from the
// environment and the shared files, and again until that succeeds; no credentials are
// asked for yet. Its HTTP client is ours, its retries are off, it logs nothing, and
// checksums are added only where an operation needs one, since many other servers than
// AWS's don't take them. What it points to is never changed: another pointer says that it
// was loaded anew, which happens when the server doesn't know the credentials any more.
// The error wraps status.SinkOperator.
func (c *Client) SDK(ctx context.Context) (*aws.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sdk != nil {
		return c.sdk, nil
	}
	loaded, err := config.LoadDefaultConfig(ctx, c.options()...)
	if err != nil {
		return nil, status.SinkOperator.Wrap(c.Op(), errors.New("the AWS configuration can't be read: look at the shared files and AWS_ variables"))
	}
	if loaded.Region == "" && c.config.Endpoint == "" && loaded.BaseEndpoint == nil {
		return nil, status.SinkOperator.Wrap(c.Op(), errors.New("no region is known: add region, or set AWS_REGION"))
	}
	loaded.Region = cmp.Or(loaded.Region, "us-east-1") // what other servers are content with
	if c.config.Endpoint != "" {
		loaded.BaseEndpoint = aws.String(c.config.Endpoint)
	}
	if c.transport == nil {
		c.transport = c.connections(loaded.HTTPClient).Transport()
		c.transport.ExpectContinueTimeout = time.Second // S3's large objects: a refusal comes before the body
	}
	loaded.HTTPClient = &client{c.transport}
	c.sdk, c.loaded = &loaded, time.Now()
	return c.sdk, nil
}

// reloadTime is how long a configuration holds in spite of a server that doesn't know its
// credentials.
const reloadTime = 10 * time.Second

// distrust has the configuration, with its credentials, loaded anew by the next attempt:
// keys in files are rotated, those of roles end.
func (c *Client) distrust() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config.AccessKeyID == "" && time.Since(c.loaded) > reloadTime {
		c.sdk = nil
	}
}

func (c *Client) options() []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(credentialsTime).WithTransportOptions(func(t *http.Transport) {
			t.Proxy = nil
			t.TLSClientConfig.MinVersion = tls.VersionTLS12
		})),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithLogger(logging.Nop{}),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
		config.WithAppID("mxhook"),
	}
	if c.config.Region != "" {
		options = append(options, config.WithRegion(c.config.Region))
	}
	if c.config.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.config.AccessKeyID, c.config.SecretAccessKey, c.config.SessionToken)))
	}
	return options
}

// connections are the sink's, with the authorities that the SDK found in AWS_CA_BUNDLE
// where the configuration names none.
func (c *Client) connections(loaded aws.HTTPClient) attempt.Connections {
	conf := &tls.Config{}
	if c.config.TLS != nil {
		conf = c.config.TLS.Clone()
	}
	if b, ok := loaded.(*awshttp.BuildableClient); ok && conf.RootCAs == nil && b.GetTransport().TLSClientConfig != nil {
		conf.RootCAs = b.GetTransport().TLSClientConfig.RootCAs
	}
	return attempt.Connections{Most: c.config.Concurrency, TLS: conf, Resolver: c.config.Resolver}
}

// credentials makes sure that there are credentials, so that a request doesn't wait for
// them. The error wraps a Condition.
func (c *Client) credentials(budget context.Context, sdk *aws.Config) error {
	ctx, cancel := context.WithTimeout(budget, credentialsTime)
	defer cancel()
	if sdk.Credentials == nil {
		return status.SinkOperator.Wrap(c.Op(), errNoCredentials)
	}
	_, err := sdk.Credentials.Retrieve(ctx)
	switch {
	case err == nil:
		return nil
	case budget.Err() != nil:
		return status.BudgetExceeded.Wrap(c.Op(), errors.New("the budget ended before there were credentials"))
	}
	c.distrust()
	return status.SinkOperator.Wrap(c.Op(), errNoCredentials)
}

var errNoCredentials = errors.New("no valid credentials: look at the environment, the shared files and the role of this host")
