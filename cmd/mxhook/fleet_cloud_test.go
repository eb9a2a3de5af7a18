package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// cloudQueue is an emulator of SQS in a process of its own, which holds everything in
// memory: one that is started again has nothing. So a queue that restarts is one that
// can't be reached for a while (proxy.cut).
type cloudQueue struct {
	address string
	client  *sqs.Client
	urls    map[string]string // of the queues, by name
}

// startCloudQueue starts fauxqs, or skips.
func startCloudQueue(t *testing.T) *cloudQueue {
	t.Helper()
	script, err := filepath.Abs("../../sinks/sqs/testdata/emulators/serve.js")
	if err != nil {
		t.Fatal(err)
	}
	probe := exec.Command("node", "-e", `process.env.NODE_PATH.split(":").find(p => require("fs").existsSync(p + "/fauxqs")) || process.exit(1)`)
	if err := probe.Run(); err != nil {
		if thorough() {
			t.Fatal("fauxqs is not in NODE_PATH, and MXHOOK_INTEROP=require")
		}
		t.Skip("fauxqs is not in NODE_PATH: npm ci in a copy of sinks/sqs/testdata/emulators, NODE_PATH to its node_modules")
	}
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("node", script, "fauxqs", port)
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
	q := &cloudQueue{address: address, urls: map[string]string{}}
	q.client = sqs.New(sqs.Options{Region: "eu-central-1", BaseEndpoint: aws.String("http://" + address), HTTPClient: &http.Client{Timeout: patience},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	return q
}

// freeAddress returns one at which nobody listens.
func freeAddress(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// create makes a queue with its dead-letter queue.
func (q *cloudQueue) create(t *testing.T, name string) {
	t.Helper()
	make := func(name string, attributes map[string]string) {
		out, err := q.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		q.urls[name] = *out.QueueUrl
	}
	make(name+"-dead", nil)
	policy, _ := json.Marshal(map[string]any{"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:000000000000:" + name + "-dead", "maxReceiveCount": 20})
	make(name, map[string]string{"VisibilityTimeout": "30", "RedrivePolicy": string(policy)})
}

// length returns how many messages are in a queue, hidden ones too.
func (q *cloudQueue) length(t testing.TB, name string) (n int) {
	t.Helper()
	out, err := q.client.GetQueueAttributes(context.Background(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(q.urls[name]),
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

// drained waits until a queue is empty.
func (q *cloudQueue) drained(t testing.TB, name string) {
	t.Helper()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for end := time.After(patience); q.length(t, name) > 0; {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("%d messages are left in the queue %s", q.length(t, name), name)
		}
	}
}

// proxy carries connections to an address, until it is cut.
type proxy struct {
	address, to string

	mu    sync.Mutex
	off   bool
	conns map[net.Conn]bool
}

func startProxy(t *testing.T, to string) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: ln.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		ln.Close()
		p.cut()
	})
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go p.carry(conn)
		}
	}()
	return p
}

func (p *proxy) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer to.Close()
	p.mu.Lock()
	if p.off {
		p.mu.Unlock()
		from.(*net.TCPConn).SetLinger(0)
		return
	}
	p.conns[from], p.conns[to] = true, true
	p.mu.Unlock()
	done := make(chan struct{}, 2)
	pipe := func(a, b net.Conn) {
		io.Copy(a, b)
		done <- struct{}{}
	}
	go pipe(from, to)
	go pipe(to, from)
	<-done
	p.mu.Lock()
	delete(p.conns, from)
	delete(p.conns, to)
	p.mu.Unlock()
}

// cut breaks all connections, and those to come; mend ends that.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	for c := range p.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}
