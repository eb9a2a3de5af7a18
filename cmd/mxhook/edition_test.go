package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestWhatAnAcknowledgedPayloadNamesStays: the same message that comes by another hop has
// the same id and other bytes. What the first try's payload or queue message points to
// stays as it was.
func TestWhatAnAcknowledgedPayloadNamesStays(t *testing.T) {
	a, s3, q := startApp(t), startBucket(t), startQueue(t)
	b := startBridge(t, fmt.Sprintf(`
hostname: mx.in.example
delivery: {ledger: 0}
sinks:
  app: {type: webhook, url: %q, secret: %q, include: {attachments: "store:archive", raw: "store:archive"}}
  jobs: {type: sqs, queue_url: "%s/1/jobs", region: eu-central-1, endpoint: %q, access_key_id: AKIA, secret_access_key: secret, max_size: 20KiB, overflow: archive}
  archive: {type: s3, bucket: mail, prefix: "in/", region: eu-central-1, endpoint: %q, path_style: true, access_key_id: AKIA, secret_access_key: secret}
routes:
  - {recipient: "@in.example", deliver: [app, jobs]}
`, a.URL, receiverSecret, q.URL, q.URL, s3.URL))
	mail := "Message-ID: <1@sender.example>\r\nFrom: ann@sender.example\r\nSubject: x\r\n\r\n" + strings.Repeat("a line of the text\r\n", 3000)
	var ids []string
	for _, hop := range []string{"a", "b"} {
		message := "Received: from " + hop + ".sender.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n" + mail
		if got := b.send(t, "ann@sender.example", "x@in.example", []byte(message)); !strings.HasPrefix(got, "250 ") {
			t.Fatal(got)
		}
	}
	for _, d := range []delivery{a.next(t), a.next(t)} {
		var p struct {
			ID  string
			Raw struct{ SHA256, URL string }
		}
		if err := json.Unmarshal(d.body, &p); err != nil {
			t.Fatal(err)
		}
		answer, err := http.Get(p.Raw.URL)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != p.Raw.SHA256 {
			t.Errorf("%s has %d octets that are not those of the payload", p.Raw.URL, len(raw))
		}
		ids = append(ids, p.ID)
	}
	if ids[0] != ids[1] {
		t.Fatalf("two ids, so that nothing was tried: %v", ids)
	}
	s3.mu.Lock()
	defer s3.mu.Unlock()
	for _, m := range q.all() {
		var pointer []json.RawMessage
		var at struct{ S3Key string }
		if err := json.Unmarshal([]byte(m.MessageBody), &pointer); err != nil || json.Unmarshal(pointer[1], &at) != nil {
			t.Fatalf("%v: %s", err, m.MessageBody)
		}
		var event struct{ Raw struct{ SHA256 string } }
		if err := json.Unmarshal([]byte(m.MessageAttributes["mxhook-event"].StringValue), &event); err != nil {
			t.Fatal(err)
		}
		if kept := s3.objects["/mail/"+at.S3Key]; event.Raw.SHA256 == "" || !bytes.Contains(kept, []byte(event.Raw.SHA256)) {
			t.Errorf("%s, of %d octets, is not what the message says (%s)", at.S3Key, len(kept), event.Raw.SHA256)
		}
	}
}
