package bridge

import (
	"context"
	"fmt"
	"slices"

	"mxhook/cmd/internal/config"
	"mxhook/routing"
	"mxhook/sinks"
	"mxhook/sinks/dir"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
)

// Preview returns the format of what a sink of the configuration is sent. Nothing is
// stored: a payload names the URLs at which its contents would be.
func Preview(c *config.Config, sink string) (formats.Kind, payload.Format, error) {
	s, ok := sinkOf(c, sink)
	if !ok {
		return formats.Kind{}, nil, fmt.Errorf("sink %q is not defined", sink)
	}
	if s.Webhook == nil {
		kind, _ := formats.Find("mxhook")
		return kind, payload.NativeFormat(dirInclude()), nil
	}
	kind, _ := formats.Find(s.Webhook.Format)
	f, err := formatOf(s.Webhook, func(name string) (payload.Store, bool) {
		store, ok := sinkOf(c, name)
		if !ok || store.Dir == nil {
			return nil, false
		}
		d, err := dir.New(dir.Config{Name: name, Path: store.Dir.Path, URL: store.Dir.URL})
		return unstored{d}, err == nil
	})
	return kind, f, err
}

func sinkOf(c *config.Config, name string) (config.Sink, bool) {
	i := slices.IndexFunc(c.Sinks, func(s config.Sink) bool { return s.Name == name })
	if i < 0 {
		return config.Sink{}, false
	}
	return c.Sinks[i], true
}

// unstored is a store that keeps nothing.
type unstored struct{ *dir.Sink }

// Store implements payload.Store.
func (u unstored) Store(_ context.Context, e *sinks.Event, c payload.Content) (string, error) {
	return u.URL(e, c.Name), nil
}

// events are the recipients of each event that a group makes: for the sink that is
// looked at, none where the route doesn't lead to it, and one each where it wants that.
func (in *Inspection) events(c *config.Config, rule *routing.Rule, all []sinks.Recipient) [][]sinks.Recipient {
	if in.Sink == "" {
		return [][]sinks.Recipient{all}
	}
	if !slices.Contains(rule.Deliver, in.Sink) && !slices.Contains(rule.Optional, in.Sink) {
		return nil
	}
	if s, _ := sinkOf(c, in.Sink); s.Webhook == nil || s.Webhook.FanOut != string(sinks.FanOutRecipient) {
		return [][]sinks.Recipient{all}
	}
	var each [][]sinks.Recipient
	for i := range all {
		each = append(each, all[i:i+1])
	}
	return each
}
