// Package sqstest starts an emulator of SQS for tests. It keeps everything in memory: one
// that is started again has nothing.
package sqstest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Emulators are those that Start knows.
var Emulators = []string{"fauxqs", "local-aws-sqs"}

// Account of the queues, and what is signed with.
const (
	Region    = "eu-central-1"
	KeyID     = "test"
	SecretKey = "test"
)

// Server is a running emulator.
type Server struct {
	Address string // HOST:PORT
	Client  *sqs.Client
	URLs    map[string]string // of the queues, by name
}

// Start starts an emulator that ends with the test. Where it isn't installed the test is
// skipped, or fails with MXHOOK_INTEROP=require. script is the path of
// sinks/sqs/testdata/emulators/serve.js.
func Start(t testing.TB, script, emulator string) *Server {
	t.Helper()
	probe := exec.Command("node", "-e", `(process.env.NODE_PATH || "").split(":").find(p => p && require("fs").existsSync(p + "/`+emulator+`")) || process.exit(1)`)
	if err := probe.Run(); err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatalf("%s is not in NODE_PATH, and MXHOOK_INTEROP=require", emulator)
		}
		t.Skipf("%s is not in NODE_PATH: npm ci in a copy of sinks/sqs/testdata/emulators, and NODE_PATH to its node_modules", emulator)
	}
	s := &Server{Address: unused(t), URLs: map[string]string{}}
	_, port, _ := net.SplitHostPort(s.Address)
	cmd := exec.Command("node", script, emulator, port)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // it ends with it
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatal(line, err)
	}
	go io.Copy(io.Discard, stdout)
	s.Client = sqs.New(sqs.Options{Region: Region, BaseEndpoint: aws.String("http://" + s.Address), HTTPClient: &http.Client{Timeout: time.Minute},
		Credentials: credentials.NewStaticCredentialsProvider(KeyID, SecretKey, "")})
	return s
}

// unused returns an address at which nobody listens.
func unused(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// Create makes a queue, and its dead-letter queue NAME-dead unless most is 0.
func (s *Server) Create(t testing.TB, name string, most int, attributes map[string]string) {
	t.Helper()
	if attributes == nil {
		attributes = map[string]string{}
	}
	if most > 0 {
		dead := s.create(t, name+"-dead", nil)
		out, err := s.Client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &dead, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
		if err != nil {
			t.Fatal(err)
		}
		policy, _ := json.Marshal(map[string]any{"deadLetterTargetArn": out.Attributes[string(types.QueueAttributeNameQueueArn)], "maxReceiveCount": most})
		attributes[string(types.QueueAttributeNameRedrivePolicy)] = string(policy)
	}
	s.create(t, name, attributes)
}

func (s *Server) create(t testing.TB, name string, attributes map[string]string) string {
	t.Helper()
	out, err := s.Client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	s.URLs[name] = *out.QueueUrl
	return *out.QueueUrl
}

// Len returns how many messages are in a queue, hidden ones too.
func (s *Server) Len(t testing.TB, name string) (n int) {
	t.Helper()
	out, err := s.Client.GetQueueAttributes(context.Background(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(s.URLs[name]),
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		i, _ := strconv.Atoi(out.Attributes[a])
		n += i
	}
	return n
}

// Await waits until a queue has so many messages.
func (s *Server) Await(t testing.TB, name string, want int) {
	t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for end := time.After(time.Minute); s.Len(t, name) != want; {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("%d messages are in the queue %s, want %d", s.Len(t, name), name, want)
		}
	}
}
