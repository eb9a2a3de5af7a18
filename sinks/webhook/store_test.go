package webhook_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/dir"
	"mxhook/sinks/payload"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/webhook"
)

func TestContractWithAStore(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, mood sinktest.Mood, log *slog.Logger) sinktest.Destination {
		d := sinktest.Destination{Secrets: append(secrets, "store-canary")}
		address := destination(t, mood, &d)
		files, err := dir.New(dir.Config{Name: "files", Path: t.TempDir() + "/store-canary", Log: log})
		if err != nil {
			t.Fatal(err)
		}
		d.Sink = newSink(t, webhook.Config{
			URL: "http://" + address, Log: log, Backoff: time.Millisecond,
			Format: payload.NativeFormat(payload.Include{Raw: payload.Stored, RawStore: files}),
		})
		return d
	})
}

// failing is a store that fails in one way, or waits for the end of the budget.
type failing struct{ err error }

func (failing) Name() string { return "files" }

func (f failing) Store(ctx context.Context, _ *sinks.Event, _ payload.Content) (string, error) {
	if f.err == nil {
		<-ctx.Done()
		return "", status.BudgetExceeded.Wrap("sink files", ctx.Err())
	}
	return "", f.err
}

func TestAStoresFailureIsTheWebhooksAndAlwaysTemporary(t *testing.T) {
	url, got := receiver(t, ok)
	for _, c := range []struct {
		err  error
		want *status.Condition
	}{
		{status.NoStorage.Wrap("sink files", errors.New("no space left on device")), status.NoStorage},
		{status.SinkOperator.Wrap("sink files", errors.New("access denied")), status.SinkOperator},
		{status.SinkTooBig.Wrap("sink files", errors.New("an object may have 5 GiB")), status.LocalError},
		{status.SinkRefused.Wrap("sink files", errors.New("no")), status.LocalError},
		{errors.New("a bug"), status.LocalError},
		{nil, status.BudgetExceeded},
	} {
		s := newSink(t, webhook.Config{URL: url, Format: payload.NativeFormat(payload.Include{Raw: payload.Stored, RawStore: failing{c.err}})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		if c.err == nil {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
		}
		o := s.Deliver(ctx, sinktest.NewEvent(100))
		cancel()
		if status.ConditionOf(o.Err) != c.want || o.Class() != status.Temporary || o.Attempts != 0 || !strings.Contains(o.Detail, "store files") {
			t.Errorf("%v: %+v", c.err, o)
		}
	}
	if len(got) > 0 {
		t.Error("a request was sent")
	}
}
