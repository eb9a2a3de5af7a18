package main

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// sqsQueue is a queue behind SQS's JSON protocol, written without the code of the sink.
type sqsQueue struct {
	*httptest.Server
	mu       sync.Mutex
	error    string // instead of taking a message
	code     int
	maximum  int
	messages []sqsMessage
}

type sqsMessage struct {
	MessageBody            string
	MessageAttributes      map[string]struct{ DataType, StringValue string }
	MessageGroupId         string
	MessageDeduplicationId string
}

func startQueue(t *testing.T) *sqsQueue {
	q := &sqsQueue{maximum: 1 << 20}
	q.Server = httptest.NewServer(q)
	t.Cleanup(q.Close)
	return q
}

func (q *sqsQueue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var m sqsMessage
	if body, err := io.ReadAll(r.Body); err != nil || json.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetQueueAttributes") {
		fmt.Fprintf(w, `{"Attributes":{"MaximumMessageSize":"%d"}}`, q.maximum)
		return
	}
	if q.error != "" {
		w.WriteHeader(q.code)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"x"}`, q.error)
		return
	}
	q.messages = append(q.messages, m)
	sum := md5.Sum([]byte(m.MessageBody))
	fmt.Fprintf(w, `{"MessageId":"1","MD5OfMessageBody":"%x","MD5OfMessageAttributes":"%s"}`, sum, m.digest())
}

func (m sqsMessage) digest() string {
	var b []byte
	text := func(s string) { b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) }
	for _, name := range slices.Sorted(maps.Keys(m.MessageAttributes)) {
		text(name)
		text(m.MessageAttributes[name].DataType)
		b = append(b, 1)
		text(m.MessageAttributes[name].StringValue)
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// fail has the queue answer so from now on; "" takes messages.
func (q *sqsQueue) fail(code int, name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.code, q.error = code, name
}

func (q *sqsQueue) all() []sqsMessage {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.messages)
}

func sqsConfig(q *sqsQueue, name, more string) string {
	return fmt.Sprintf(`
hostname: mx.in.example
delivery: {budget: 10s, ledger: 192h}
sinks:
  jobs: {type: sqs, queue_url: "%s/123456789012/%s", region: eu-central-1, access_key_id: AKIDEXAMPLE, secret_access_key: x, attempts: 1%s}
routes:
  - {recipient: "@in.example", deliver: [jobs]}
`, q.URL, name, more)
}

func TestMailGoesToAQueue(t *testing.T) {
	q := startQueue(t)
	b := startBridge(t, sqsConfig(q, "jobs", ""))
	for _, c := range []struct {
		code       int
		name, want string
	}{
		{400, "QueueDoesNotExist", "451 4.3.5 "},
		{403, "InvalidClientTokenId", "451 4.3.5 "},
		{400, "RequestThrottled", "451 4.4.5 "},
		{503, "ServiceUnavailable", "451 4.4.5 "},
		{400, "", "250 2.0.0 OK msg_"},
	} {
		q.fail(c.code, c.name)
		if got := b.send(t, "ann@sender.example", "a@in.example b@in.example", []byte(smallMessage)); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: reply %q, want %q", c.name, got, c.want)
		}
	}
	// The ledger knows it now.
	if got := b.send(t, "ann@sender.example", "b@in.example a@in.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 2.0.0 already delivered as msg_") {
		t.Errorf("a resend: %q", got)
	}
	all := q.all()
	if len(all) != 1 {
		t.Fatalf("%d messages", len(all))
	}
	var p document
	if err := json.Unmarshal([]byte(all[0].MessageBody), &p); err != nil || len(p.Envelope.Recipients) != 2 || all[0].MessageAttributes["mxhook-id"].StringValue != p.ID {
		t.Errorf("%v: %+v", err, p)
	}
	large := smallMessage + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1<<20/72)
	if got := b.send(t, "ann@sender.example", "c@in.example", []byte(large)); !strings.HasPrefix(got, "552 5.3.4 ") || len(q.all()) != 1 {
		t.Errorf("a message larger than the queue takes: %q, %d messages", got, len(q.all()))
	}
}

func TestMailGoesToAFIFOQueueInAGroupForEachRecipient(t *testing.T) {
	q := startQueue(t)
	b := startBridge(t, sqsConfig(q, "jobs.fifo", `, include: {raw: none}, format: cloudevents`))
	if got := b.send(t, "ann@sender.example", "A@in.example b@IN.example", []byte(smallMessage)); !strings.HasPrefix(got, "250 2.0.0 OK msg_") || !strings.HasSuffix(got, " +1") {
		t.Errorf("reply %q", got)
	}
	var groups []string
	for _, m := range q.all() {
		groups = append(groups, m.MessageGroupId)
		if m.MessageDeduplicationId == "" || m.MessageDeduplicationId != m.MessageAttributes["mxhook-id"].StringValue {
			t.Errorf("%+v", m)
		}
	}
	slices.Sort(groups)
	if !slices.Equal(groups, []string{"a@in.example", "b@in.example"}) {
		t.Errorf("groups %q", groups)
	}
}

// TestACircuitKeepsMailAwayFromAQueueThatIsDown: a recipient hears it at RCPT.
func TestACircuitKeepsMailAwayFromAQueueThatIsDown(t *testing.T) {
	q := startQueue(t)
	b := startBridge(t, sqsConfig(q, "jobs", ", circuit: {failures: 2, open: 1h}"))
	q.fail(503, "ServiceUnavailable")
	for _, id := range []string{"1", "2", "3"} {
		message := strings.Replace(smallMessage, "Message-ID: <", "Message-ID: <"+id, 1)
		if got := b.send(t, "ann@sender.example", "a@in.example", []byte(message)); !strings.HasPrefix(got, "451 4.4.") {
			t.Errorf("reply %q", got)
		}
	}
	if log := b.log.String(); !strings.Contains(log, "circuit opened") {
		t.Error("the circuit is not open")
	}
}

// TestWhatNoMessageCarriesGoesToTheBucketFirst: a pointer never stands in the queue before
// its payload is there.
func TestWhatNoMessageCarriesGoesToTheBucketFirst(t *testing.T) {
	q, s3 := startQueue(t), startBucket(t)
	config := strings.Replace(sqsConfig(q, "jobs", ", overflow: archive"), "routes:", fmt.Sprintf(
		"  archive: {type: s3, bucket: mail, prefix: \"in/{route}/\", endpoint: \"%s\", path_style: true, access_key_id: A, secret_access_key: x, attempts: 1}\nroutes:", s3.URL), 1)
	b := startBridge(t, config)
	large := smallMessage + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1<<20/72)
	s3.set(s3error(503, "SlowDown"))
	if got := b.send(t, "ann@sender.example", "a@in.example", []byte(large)); !strings.HasPrefix(got, "451 4.4.5 ") || len(q.all()) != 0 {
		t.Errorf("the bucket takes nothing: %q, %d messages", got, len(q.all()))
	}
	s3.set(nil)
	q.fail(403, "AccessDenied")
	if got := b.send(t, "ann@sender.example", "a@in.example", []byte(large)); !strings.HasPrefix(got, "451 4.3.5 ") {
		t.Errorf("the queue takes nothing: %q", got)
	}
	q.fail(0, "")
	if got := b.send(t, "ann@sender.example", "a@in.example", []byte(large)); !strings.HasPrefix(got, "250 2.0.0 OK msg_") {
		t.Fatal(got)
	}
	all := q.all()
	if len(all) != 1 {
		t.Fatalf("%d messages", len(all))
	}
	id := all[0].MessageAttributes["mxhook-id"].StringValue
	key := "in/overflow/" + editionOf(id, large) + ".jobs.mxhook"
	if want := `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"mail","s3Key":"` + key + `"}]`; all[0].MessageBody != want {
		t.Errorf("body %s", all[0].MessageBody)
	}
	s3.mu.Lock()
	defer s3.mu.Unlock()
	var p document
	kept := s3.objects["/mail/"+key]
	if err := json.Unmarshal(kept, &p); err != nil || p.ID != id || len(s3.objects) != 1 || all[0].MessageAttributes["ExtendedPayloadSize"].StringValue != fmt.Sprint(len(kept)) {
		t.Errorf("%v: %s, %d objects", err, p.ID, len(s3.objects))
	}
}
