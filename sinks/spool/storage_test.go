package spool_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks/spool"
	"mxhook/sinks/spool/spooltest"
)

func TestAFailedWriteLeavesNothingAndIsNotForEver(t *testing.T) {
	for op, fault := range map[string]error{"create": syscall.EROFS, "write": syscall.ENOSPC, "sync": syscall.EIO, "rename": syscall.EIO, "syncdir": syscall.EIO} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := spooltest.NewDisk()
				s := open(t, "", spool.Options{Files: d})
				e := received(t, 1)
				d.Fail(func(o, _ string) error {
					if o == op {
						return fault
					}
					return nil
				})
				for name, err := range map[string]error{"Put": s.Put([]spool.Entry{entry(e, "app")}), "Bury": s.Bury(e, "app", never()), "Usable": s.Usable()} {
					if status.ConditionOf(err) != status.NoStorage {
						t.Errorf("%s: %v", name, err)
					}
				}
				settled(t, s, 0, 0)
				if _, _, n := s.Stats(); n != 0 || len(d.Names()) != 0 {
					t.Errorf("%d octets, left %v", n, d.Names())
				}
				d.Fail(nil)
				if s.Usable() == nil {
					t.Error("tried again at once")
				}
				time.Sleep(time.Second)
				if err := s.Usable(); err != nil {
					t.Error(err)
				}
				put(t, s, entry(e, "app"))
				if err := s.Bury(e, "jobs", never()); err != nil {
					t.Error(err)
				}
				settled(t, s, 1, 1)
			})
		})
	}
}

func TestAStorageThatFailsAtTheStartIsOpenedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, e := left(t)
		d.Fail(func(op, _ string) error {
			if op == "mkdir" {
				return syscall.EROFS
			}
			return nil
		})
		app := &sink{name: "app"}
		s := open(t, "", spool.Options{Files: d, Sink: named(app)})
		s.Start()
		if err := s.Put([]spool.Entry{entry(received(t, 2), "app")}); status.ConditionOf(err) != status.NoStorage {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		d.Fail(nil)
		time.Sleep(5 * time.Second)
		settled(t, s, 1, 0)
		if !slices.Equal(app.ids(), []string{e.ID}) {
			t.Error(app.ids())
		}
		stop(t, s, nil)
	})
}

func TestWhatIsOpenedLaterIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := left(t)
		first := open(t, "", spool.Options{Files: d})
		if err := first.Bury(received(t, 2), "app", never()); err != nil {
			t.Fatal(err)
		}
		_, _, octets := first.Stats()
		stop(t, first, nil)
		d.Fail(func(op, name string) error {
			if op == "open" && strings.HasPrefix(name, "spool/") {
				return syscall.EIO
			}
			return nil
		})
		s := open(t, "", spool.Options{Files: d})
		s.Start()
		time.Sleep(time.Minute)
		d.Fail(nil)
		time.Sleep(5 * time.Second)
		settled(t, s, 2, 1)
		if _, _, now := s.Stats(); now != octets {
			t.Errorf("%d octets are counted as %d", octets, now)
		}
		stop(t, s, nil)
	})
}

func TestADeliveredEventWhoseFilesStayIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := spooltest.NewDisk()
		app := &sink{name: "app"}
		s := open(t, "", spool.Options{Files: d, Sink: named(app)})
		d.Fail(func(op, _ string) error {
			if op == "remove" {
				return syscall.EIO
			}
			return nil
		})
		put(t, s, entry(received(t, 1), "app"))
		s.Start()
		time.Sleep(time.Hour)
		settled(t, s, 0, 0)
		if n := len(app.ids()); n != 1 || len(d.Names()) == 0 {
			t.Errorf("sent %d times, left %v", n, d.Names())
		}
		d.Fail(nil)
		time.Sleep(2 * time.Minute)
		settled(t, s, 0, 0)
		if _, _, n := s.Stats(); n != 0 || len(d.Names()) != 0 {
			t.Errorf("%d octets, left %v", n, d.Names())
		}
		stop(t, s, nil)
	})
}
