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
	"mxhook/sinks/s3"
)

// Preview returns the format of what a sink of the configuration is sent. Nothing is
// stored: a payload names the URLs at which its contents would be.
func Preview(c *config.Config, sink string) (formats.Kind, payload.Format, error) {
	s, ok := sinkOf(c, sink)
	if !ok {
		return formats.Kind{}, nil, fmt.Errorf("sink %q is not defined", sink)
	}
	p, ok := s.Payload()
	switch {
	case !ok && s.Dir != nil && s.Dir.Maildir:
		kind, _ := formats.Find("raw")
		return kind, payload.RawFormat(), nil
	case !ok:
		kind, _ := formats.Find("mxhook")
		return kind, payload.NativeFormat(dirInclude()), nil
	}
	kind, _ := formats.Find(p.Format)
	f, err := formatOf(p, func(name string) (payload.Store, bool) {
		store, ok := sinkOf(c, name)
		switch {
		case ok && store.S3 != nil:
			s, err := s3.New(s3Config(name, store.S3))
			return addressed{s}, err == nil
		case !ok || store.Dir == nil:
			return nil, false
		}
		d, err := dir.New(dir.Config{Name: name, Path: store.Dir.Path, URL: store.Dir.URL, Maildir: store.Dir.Maildir})
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
// looked at, none where the route doesn't lead to it, and one each where it wants that, or those of one domain.
func (in *Inspection) events(c *config.Config, rule *routing.Rule, all []sinks.Recipient) [][]sinks.Recipient {
	if in.Sink == "" {
		return [][]sinks.Recipient{all}
	}
	if !slices.Contains(rule.Deliver, in.Sink) && !slices.Contains(rule.Optional, in.Sink) {
		return nil
	}
	fanOut := sinks.FanOutMessage
	s, _ := sinkOf(c, in.Sink)
	if p, ok := s.Payload(); ok {
		fanOut = sinks.FanOut(p.FanOut)
	} else if s.S3 != nil && s.S3.OneDomain {
		fanOut = sinks.FanOutDomain
	}
	var each [][]sinks.Recipient
	index := map[string]int{}
	for _, r := range all {
		common := fanOut.Group(r)
		i, ok := index[common]
		if !ok {
			i, index[common] = len(each), len(each)
			each = append(each, nil)
		}
		each[i] = append(each[i], r)
	}
	return each
}
