package s3_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/s3"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/sqs"
)

var _ sqs.Overflow = (*s3.Sink)(nil)

func nativeOf(t *testing.T, e *sinks.Event) *payload.Body {
	t.Helper()
	b, err := payload.Native(t.Context(), e, payload.Include{Raw: "inline", HTML: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnOverflowIsWrittenOnceUnderItsName(t *testing.T) {
	b := newBucket(t)
	s := newSink(t, b.URL, func(c *s3.Config) { c.Prefix = "in/{route}/{year}/" })
	e := sinktest.NewEvent(2 << 20)
	name := e.ID + ".jobs.mxhook"
	for range 2 {
		bucket, key, err := s.Put(t.Context(), e, name, nativeOf(t, e))
		if err != nil || bucket != "mail" || key != "in/overflow/"+name {
			t.Fatal(bucket, key, err)
		}
	}
	if want := map[string]int{"in/overflow/" + name: 1}; !maps.Equal(b.keys(), want) {
		t.Errorf("got %v, want %v", b.keys(), want)
	}
	o := b.all()["in/overflow/"+name]
	if sum := sha256.Sum256(o.body); o.header.Get("X-Amz-Meta-Mxhook-Sha256") != hex.EncodeToString(sum[:]) || int64(len(o.body)) != nativeOf(t, e).Size() || o.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d octets, %v", len(o.body), o.header)
	}
	// A pointer must lead to what its message says: another content takes the place.
	if _, _, err := s.Put(t.Context(), e, name, nativeOf(t, sinktest.NewEvent(10))); err != nil || b.keys()["in/overflow/"+name] != 2 {
		t.Error(err, b.keys())
	}
}

func TestNamesOfOverflowsAreMadeOfIDs(t *testing.T) {
	b := newBucket(t)
	s := newSink(t, b.URL, nil)
	e := sinktest.NewEvent(10)
	for _, name := range []string{"", "msg_../../x", e.ID + "./x", e.ID + "x", e.ID + ".a/b", "x" + e.ID} {
		if _, _, err := s.Put(t.Context(), e, name, nativeOf(t, e)); status.ConditionOf(err) != status.LocalError {
			t.Errorf("%q: %v", name, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Put(ended, e, e.ID, nativeOf(t, e)); status.ConditionOf(err) != status.BudgetExceeded || len(b.all()) != 0 {
		t.Error(err, b.keys())
	}
}

func TestObjectIsWhereStorePutsIt(t *testing.T) {
	b := newBucket(t)
	s := newSink(t, b.URL, func(c *s3.Config) { c.Prefix = "in/{route}/" })
	e := sinktest.NewEvent(10)
	if _, err := s.Store(t.Context(), e, payload.Content{Name: "raw", ContentType: "message/rfc822", Size: e.Data.Size(), SHA256: e.Data.SHA256(), Open: func() io.Reader { return e.Data.Open() }}); err != nil {
		t.Fatal(err)
	}
	bucket, key := s.Object(e, "raw")
	if _, ok := b.all()[key]; bucket != "mail" || !ok {
		t.Errorf("%s %s is not among %v", bucket, key, b.keys())
	}
}
