package delivery_test

import (
	"context"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
	"mxhook/sinks/sinktest"
)

// fake is a sink that does what its function says.
type fake struct {
	name    string
	fanOut  sinks.FanOut
	deliver func(ctx context.Context, e *sinks.Event) sinks.Outcome
}

func (f *fake) Name() string { return f.name }

func (f *fake) FanOut() sinks.FanOut {
	if f.fanOut == "" {
		return sinks.FanOutMessage
	}
	return f.fanOut
}

func (f *fake) Deliver(ctx context.Context, e *sinks.Event) sinks.Outcome { return f.deliver(ctx, e) }

func answering(c *status.Condition) func(context.Context, *sinks.Event) sinks.Outcome {
	return func(context.Context, *sinks.Event) sinks.Outcome {
		if c == nil {
			return sinks.Outcome{Attempts: 1}
		}
		return sinks.Outcome{Err: c.Wrap("test", nil), Attempts: 1}
	}
}

// mail returns a message and the recipients of its envelope.
func mail(recipients ...string) (delivery.Mail, []sinks.Recipient) {
	e := sinktest.NewEvent(10, recipients...)
	return delivery.Mail{Identity: [32]byte{1}, Session: e.Session, Mail: e.Mail, Message: e.Message, Results: e.Results,
		Data: e.Data, Hostname: e.Hostname, ReceivedAt: e.ReceivedAt}, e.Recipients
}

func TestOneEventIsDelivered(t *testing.T) {
	var got *sinks.Event
	s := &fake{name: "app", deliver: func(_ context.Context, e *sinks.Event) sinks.Outcome {
		got = e
		return sinks.Outcome{Attempts: 1}
	}}
	m, to := mail("ann@in.example", "bob@in.example", "ANN@in.example")
	d := delivery.New(delivery.Config{})
	a := d.Deliver(context.Background(), m, []delivery.Order{{Route: "r", Recipients: to, Required: []sinks.Sink{s}}})
	if a.Err != nil || a.Text != "OK "+got.ID || !strings.HasPrefix(got.ID, "msg_") {
		t.Fatalf("answer %+v", a)
	}
	if len(got.Recipients) != 2 || got.Recipients[0].Path.String() != "ann@in.example" || got.Recipients[1].Path.String() != "bob@in.example" {
		t.Errorf("recipients %v: one that is named twice must be one unit", got.Recipients)
	}
	if err := d.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}
