package bridge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"mxhook/cmd/internal/control"
	"mxhook/sinks"
	"mxhook/sinks/spool"
)

// The Bridge is the control.Operations of its own process: for the control socket, and
// for whoever opens a state folder that nobody serves.
var _ control.Operations = (*Bridge)(nil)

// List implements control.Operations.
func (b *Bridge) List(ctx context.Context, f control.Filter, yield func(spool.Item) error) error {
	if err := f.Check(); err != nil {
		return err
	}
	for _, i := range b.spool.List() {
		if !f.Takes(i) {
			continue
		}
		if err := cmp.Or(ctx.Err(), yield(i)); err != nil {
			return err
		}
	}
	return nil
}

// Show implements control.Operations.
func (b *Bridge) Show(_ context.Context, name string) (list []control.Shown, err error) {
	for _, id := range b.expand(name) {
		d, err := b.spool.Show(id)
		if isUnknown(err) {
			continue // it was delivered meanwhile
		}
		s := control.Shown{Item: d.Item, Subject: d.Subject, Record: json.RawMessage(d.Record)}
		if err != nil {
			s.Record, s.Problem = nil, err.Error()
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, control.NotFound(name)
	}
	return list, nil
}

// Raw implements control.Operations.
func (b *Bridge) Raw(_ context.Context, name string, w io.Writer) error {
	for _, id := range b.expand(name) {
		data, err := b.spool.Message(id)
		if isUnknown(err) {
			continue
		}
		if err != nil {
			return err
		}
		defer data.Release()
		_, err = io.Copy(w, data.Open())
		return err
	}
	return control.NotFound(name)
}

// Replay implements control.Operations.
func (b *Bridge) Replay(ctx context.Context, s control.Selection) (control.Changed, error) {
	changed, err := b.change(ctx, s, b.spool.Replay, func(i spool.Item) bool {
		return s.All && strings.HasPrefix(i.Sink, sinks.NoSink) // there is none to put it back to
	})
	changed.Working = b.ready.Load()
	return changed, err
}

// Drop implements control.Operations.
func (b *Bridge) Drop(ctx context.Context, s control.Selection) (control.Changed, error) {
	return b.change(ctx, s, b.spool.Drop, func(spool.Item) bool { return false })
}

// changers is how many events are put back or dropped at once: what they write shares
// its fsyncs.
const changers = 16

// change does something with each event of a selection but those to leave. What is gone meanwhile of all
// events was delivered, or dropped by somebody else, and is no failure.
func (b *Bridge) change(ctx context.Context, s control.Selection, do func(ids []string) error, leave func(spool.Item) bool) (control.Changed, error) {
	c := control.Changed{Failed: []control.Failure{}}
	if err := s.Check(); err != nil {
		return c, err
	}
	items, unknown := b.selected(s)
	items = slices.DeleteFunc(items, leave)
	for _, name := range unknown {
		c.Failed = append(c.Failed, control.Failure{Name: name, Error: control.NotFound(name).Error()})
	}
	var mu sync.Mutex // guards c
	var wg sync.WaitGroup
	next := make(chan spool.Item)
	for range min(changers, len(items)) {
		wg.Go(func() {
			for i := range next {
				err := do([]string{i.ID})
				mu.Lock()
				count(&c, i, err, s.All)
				mu.Unlock()
			}
		})
	}
	for _, i := range items {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return c, ctx.Err()
}

// count adds what became of one event.
func count(c *control.Changed, i spool.Item, err error, all bool) {
	switch {
	case isUnknown(err) && all:
	case isUnknown(err):
		c.Failed = append(c.Failed, control.Failure{Name: i.ID, Error: control.NotFound(i.ID).Error()})
	case err != nil:
		c.Failed = append(c.Failed, control.Failure{Name: i.ID, Error: strings.TrimPrefix(err.Error(), i.ID+": ")})
	case i.State == spool.Dead:
		c.Dead++
	default:
		c.Waiting++
	}
}

// selected returns the events that are meant, each once, and the names that name none.
func (b *Bridge) selected(s control.Selection) (items []spool.Item, unknown []string) {
	if s.All {
		items = b.spool.List()
		return slices.DeleteFunc(items, func(i spool.Item) bool { return !s.Filter.Takes(i) }), nil
	}
	taken := map[string]bool{}
	for _, name := range s.Names {
		found := false
		for _, id := range b.expand(name) {
			d, err := b.spool.Show(id)
			if isUnknown(err) {
				continue
			}
			found = true
			if !taken[id] {
				taken[id] = true
				items = append(items, d.Item)
			}
		}
		if !found {
			unknown = append(unknown, name)
		}
	}
	return items, unknown
}

// expand returns the events that a name may name: itself, or all of an id.
func (b *Bridge) expand(name string) []string {
	id, sink := control.SplitName(name)
	if sink != "" {
		return []string{name}
	}
	return b.spool.IDs(id)
}

func isUnknown(err error) bool {
	var unknown *spool.UnknownError
	return errors.As(err, &unknown)
}
