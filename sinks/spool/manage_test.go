package spool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/ledger"
	"mxhook/sinks/spool"
	"mxhook/sinks/spool/spooltest"
)

func TestAStartAsksTheLedgerAndTellsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		book := openLedger(t, state)
		s := open(t, state, spool.Options{})
		done, open1, refused := received(t, 1), received(t, 2), received(t, 3)
		for _, e := range []*sinks.Event{done, open1, refused} {
			put(t, s, entry(e, "app"))
		}
		stop(t, s, nil)
		for e, state := range map[*sinks.Event]ledger.State{done: ledger.Delivered, refused: ledger.Refused} {
			if err := book.Mark(e.ID, state, entry(e, "app").Keys); err != nil {
				t.Fatal(err)
			}
		}
		s = open(t, state, spool.Options{Ledger: book})
		if w, _, _ := s.Stats(); w != 2 {
			t.Errorf("%d wait, want the one that the ledger didn't know, and the one that was put back after it was refused", w)
		}
		for _, d := range book.Known(entry(open1, "app").Keys) {
			if d.State != ledger.Spooled {
				t.Errorf("the ledger says %+v", d)
			}
		}
		s.Start()
		synctest.Wait()
		if names := files(t, state); len(names) != 4 {
			t.Errorf("left %v", names)
		}
		stop(t, s, book)
	})
}

func TestAnEventIsPutOnce(t *testing.T) {
	state := t.TempDir()
	s := open(t, state, spool.Options{})
	e := received(t, 1)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := s.Put([]spool.Entry{entry(e, "app"), entry(e, "app"), entry(e, "jobs")}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if w, _, _ := s.Stats(); w != 2 || len(files(t, state)) != 2 {
		t.Errorf("%d wait, files %v", w, files(t, state))
	}
}

func TestTheIDsOfAnEventAreFoundWithoutItsFiles(t *testing.T) {
	d := spooltest.NewDisk()
	s := open(t, "", spool.Options{Files: d})
	e, other := received(t, 1), received(t, 2)
	put(t, s, entry(e, "jobs"))
	put(t, s, entry(other, "app"))
	if err := s.Bury(e, "app", never()); err != nil {
		t.Fatal(err)
	}
	d.Fail(func(string, string) error { return syscall.EIO })
	if ids := s.IDs(e.ID); !slices.Equal(ids, []string{e.ID + ".app", e.ID + ".jobs"}) {
		t.Error(ids)
	}
	if ids := s.IDs(e.ID[:10]); ids != nil {
		t.Error(ids)
	}
	d.Fail(nil)
}

func TestReplayOfAWaitingEventIsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &sink{name: "app", answer: always(later())}
		s := open(t, t.TempDir(), spool.Options{Sink: named(app)})
		s.Start()
		e := received(t, 1)
		put(t, s, entry(e, "app"))
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		app.set(nil)
		if err := s.Replay([]string{e.ID + ".app"}); err != nil {
			t.Fatal(err)
		}
		settled(t, s, 0, 0)
		stop(t, s, nil)
	})
}

func TestADropDuringADeliveryIsForGood(t *testing.T) {
	for name, o := range map[string]sinks.Outcome{"taken": taken(), "later": later(), "never": never()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := t.TempDir()
				app := &sink{name: "app", answer: func(context.Context, *sinks.Event) sinks.Outcome { time.Sleep(time.Second); return o }}
				s := open(t, state, spool.Options{Sink: named(app)})
				s.Start()
				e := received(t, 1)
				put(t, s, entry(e, "app"), entry(e, "other"))
				synctest.Wait()
				if err := s.Drop([]string{e.ID + ".app"}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				settled(t, s, 1, 0)
				if err := s.Drop([]string{e.ID + ".other"}); err != nil {
					t.Fatal(err)
				}
				if n := len(app.ids()); n != 1 || files(t, state) != nil {
					t.Errorf("%d deliveries, left %v", n, files(t, state))
				}
				stop(t, s, nil)
			})
		})
	}
}

func TestBothKindsAreShownAlike(t *testing.T) {
	s := open(t, t.TempDir(), spool.Options{})
	e := received(t, 1)
	put(t, s, entry(e, "app"))
	if err := s.Bury(e, "jobs", never()); err != nil {
		t.Fatal(err)
	}
	for sink, schema := range map[string]string{"app": spool.WaitingSchema, "jobs": spool.DeadSchema} {
		d, err := s.Show(e.ID + "." + sink)
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			Schema, ID, Route string
			Envelope          struct {
				Recipients []struct{ Address string }
			}
		}
		if err := json.Unmarshal(d.Record, &r); err != nil {
			t.Fatal(err)
		}
		if d.Subject != "Grüße <b>&" || d.MessageID != "<1@sender.example>" || d.Size != int64(len(text)) || r.Schema != schema || r.ID != e.ID || r.Route != "tickets" || len(r.Envelope.Recipients) != 2 {
			t.Errorf("%s: %+v\n%s", sink, d.Item, d.Record)
		}
		m, err := s.Message(e.ID + "." + sink)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(m.Open()); err != nil || !bytes.Equal(b, []byte(text)) {
			t.Errorf("%s: %v, other bytes", sink, err)
		}
		m.Release()
	}
}

// A resend of the message comes while a person puts the dead event back.
func TestAnEventThatIsPutBackMeanwhileIsNotPutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := spooltest.NewDisk()
		app := &sink{name: "app"}
		inLink, goOn := make(chan struct{}), make(chan struct{})
		s := open(t, "", spool.Options{Files: slowLink{d, func() { close(inLink); <-goOn }}, Sink: named(app)})
		e := received(t, 1)
		if err := s.Bury(e, "app", never()); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() {
			if err := s.Replay([]string{e.ID + ".app"}); err != nil {
				t.Error(err)
			}
		})
		<-inLink
		both.Go(func() { put(t, s, entry(e, "app")) })
		synctest.Wait()
		close(goOn)
		both.Wait()
		s.Start()
		time.Sleep(time.Hour)
		if ids := app.ids(); len(ids) != 1 {
			t.Errorf("delivered %d times", len(ids))
		}
		settled(t, s, 0, 0)
		stop(t, s, nil)
	})
}

// slowLink is a disk whose links wait.
type slowLink struct {
	*spooltest.Disk
	wait func()
}

func (s slowLink) Link(from, to string) error {
	s.wait()
	return s.Disk.Link(from, to)
}
