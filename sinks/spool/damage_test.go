package spool_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/sinks"
	"mxhook/sinks/spool"
	"mxhook/sinks/spool/spooltest"
)

func fileOf(t *testing.T, d *spooltest.Disk, folder, suffix string) string {
	t.Helper()
	for _, n := range d.Names() {
		if strings.HasPrefix(n, folder+"/") && strings.HasSuffix(n, suffix) {
			return n
		}
	}
	t.Fatalf("no %s in %v", suffix, d.Names())
	return ""
}

// left puts two events of one message, whose deliveries fail, and stops.
func left(t *testing.T) (*spooltest.Disk, *sinks.Event) {
	d := spooltest.NewDisk()
	e := received(t, 1)
	s := open(t, "", spool.Options{Files: d, Sink: named(&sink{name: "app", answer: always(later())})})
	put(t, s, entry(e, "app"), entry(e, "jobs"))
	s.Start()
	synctest.Wait()
	stop(t, s, nil)
	return d, e
}

func flip(b []byte, at int) { b[at] ^= 1 }

func TestDamagedFilesAreNeverDelivered(t *testing.T) {
	for name, c := range map[string]struct {
		damage  func(t *testing.T, d *spooltest.Disk)
		detail  string // of the dead events
		waiting bool   // nothing that matters is damaged
	}{
		"a bit of the bytes": {damage: func(t *testing.T, d *spooltest.Disk) { flip(d.Data(fileOf(t, d, "spool", ".eml")), 300) },
			detail: "the message's bytes are damaged"},
		"bytes that are cut": {damage: func(t *testing.T, d *spooltest.Disk) {
			name := fileOf(t, d, "spool", ".eml")
			d.Put(name, d.Data(name)[:100])
		}, detail: "the message's bytes are damaged"},
		"a bit of the facts": {damage: func(t *testing.T, d *spooltest.Disk) {
			b := d.Data(fileOf(t, d, "spool", ".json"))
			flip(b, bytes.Index(b, []byte("192.0.2.1")))
		}, detail: "the record is damaged"},
		"facts that are cut": {damage: func(t *testing.T, d *spooltest.Disk) {
			name := fileOf(t, d, "spool", ".json")
			d.Put(name, d.Data(name)[:len(d.Data(name))-20])
		}, detail: "the record is damaged"},
		"a log of noise": {damage: func(t *testing.T, d *spooltest.Disk) {
			d.Put(fileOf(t, d, "spool", ".log"), []byte("\x00\xff\n{}\n{\"id\":1}\n\n{\"state\":\"delivered\",\"sum\":\"00000000\"}"))
		}, waiting: true},
		"a torn log": {damage: func(t *testing.T, d *spooltest.Disk) {
			name := fileOf(t, d, "spool", ".log")
			d.Put(name, append(d.Data(name), `{"at":"2026-11-21T10:00:00Z","id":"`...))
		}, waiting: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, e := left(t)
				c.damage(t, d)
				app, jobs := &sink{name: "app"}, &sink{name: "jobs"}
				s := open(t, "", spool.Options{Files: d, Sink: named(app, jobs)})
				s.Start()
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if c.waiting {
					if app.ids() == nil || jobs.ids() == nil {
						t.Error("not delivered")
					}
					settled(t, s, 0, 0)
					return
				}
				if app.ids() != nil || jobs.ids() != nil {
					t.Error("delivered")
				}
				settled(t, s, 0, 2)
				for _, i := range s.List() {
					if i.Detail != c.detail || i.Condition != "local_error" || i.Event != e.ID {
						t.Errorf("%+v", i)
					}
					if err := s.Replay([]string{i.ID}); err == nil || !strings.Contains(err.Error(), "damaged") {
						t.Errorf("put back: %v", err)
					}
				}
				stop(t, s, nil)
			})
		})
	}
}

func TestADamagedIndexIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := left(t)
		b := d.Data(fileOf(t, d, "spool", ".json"))
		flip(b, bytes.Index(b, []byte("ann+7@in.example")))
		app := &sink{name: "app"}
		for range 2 {
			s := open(t, "", spool.Options{Files: d, Sink: named(app)})
			s.Start()
			settled(t, s, 0, 0)
			if _, _, n := s.Stats(); n == 0 || app.ids() != nil {
				t.Errorf("%d octets are counted, delivered %v", n, app.ids())
			}
			stop(t, s, nil)
		}
		for _, suffix := range []string{".eml.damaged", ".json.damaged", ".log.damaged"} {
			fileOf(t, d, "spool", suffix)
		}
	})
}

func TestHalfABatchWasNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, suffix := range []string{".eml", ".json"} {
			d, _ := left(t)
			d.Put(fileOf(t, d, "spool", suffix), nil)
			d.Put("spool/.mxhook-x.tmp", []byte("half"))
			d.Put("dead/.mxhook-x.tmp", []byte("half"))
			d.Put("dead/msg_x.app.eml", []byte("half"))
			d.Put("spool/notes-of-a-person", []byte("whole"))
			s := open(t, "", spool.Options{Files: d})
			if names := d.Names(); !slices.Equal(names, []string{"spool/notes-of-a-person"}) {
				t.Errorf("left %v", names)
			}
			settled(t, s, 0, 0)
			stop(t, s, nil)
		}
	})
}

func TestADamagedDeadEventIsListedAndNotPutBack(t *testing.T) {
	d := spooltest.NewDisk()
	s := open(t, "", spool.Options{Files: d})
	e := received(t, 1)
	if err := s.Bury(e, "app", never()); err != nil {
		t.Fatal(err)
	}
	id := e.ID + ".app"
	flip(d.Data("dead/"+id+".eml"), 5)
	if err := s.Replay([]string{id}); err == nil || err.Error() != id+": the message's bytes are damaged" {
		t.Error(err)
	}
	if _, err := s.Message(id); err == nil {
		t.Error("damaged bytes are shown as the message")
	}
	flip(d.Data("dead/"+id+".eml"), 5)
	b := d.Data("dead/" + id + ".json")
	flip(b, bytes.Index(b, []byte("bob@in.example")))
	if err := s.Replay([]string{id}); err == nil || err.Error() != id+": the record is damaged" {
		t.Error(err)
	}
	if l := s.List(); len(l) != 1 || l[0].ID != id || l[0].Sink != "app" || l[0].Detail != "its record can't be read: the record is damaged" {
		t.Errorf("%+v", l)
	}
	if err := s.Drop([]string{id}); err != nil || len(d.Names()) > 0 {
		t.Errorf("%v, left %v", err, d.Names())
	}
}

func TestADeadEventOfAnEarlierVersionIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := t.TempDir()
		if err := os.Mkdir(filepath.Join(state, "dead"), 0o700); err != nil {
			t.Fatal(err)
		}
		const id = "msg_aaaaaaaaaaaaaaaaaaaaaaaaaa"
		for suffix, text := range map[string]string{".app.eml": "Subject: a\r\n\r\nb\r\n", ".app.json": `{
  "schema": "mxhook.dead.v1", "id": "` + id + `", "sink": "app", "route": "tickets",
  "received_at": "2026-11-21T10:00:00Z", "buried_at": "2026-11-21T10:00:01Z", "condition": "sink_refused",
  "reply": "550 5.7.1 no", "detail": "HTTP 406", "attempts": 1, "hostname": "mx.in.example",
  "session": {"id": "s1", "listener": ":25", "remote_ip": "192.0.2.1", "remote_port": 25, "local_name": "mx", "helo": "h", "tls": null, "user": ""},
  "envelope": {"reverse_path": "bob@sender.example", "recipients": [{"address": "ann@in.example", "captures": null}],
    "protocol": "ESMTP", "smtputf8": false, "body": "", "declared_size": 0},
  "results": null, "cut": null,
  "raw": {"size": 17, "sha256": "9c6c8eb5e1aadf9965b891e6b38b9eaaa685400b5a6f4e755ee91c0695514d09"}
}
`} {
			if err := os.WriteFile(filepath.Join(state, "dead", id+suffix), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var got *sinks.Event
		app := &sink{name: "app", answer: func(_ context.Context, e *sinks.Event) sinks.Outcome { got = e; return taken() }}
		s := open(t, state, spool.Options{Sink: named(app)})
		s.Start()
		if l := s.List(); len(l) != 1 || l[0].Condition != "sink_refused" || l[0].ReversePath != "bob@sender.example" || l[0].Recipients[0] != "ann@in.example" {
			t.Fatalf("%+v", l)
		}
		if err := s.Replay([]string{id + ".app"}); err != nil {
			t.Fatal(err)
		}
		settled(t, s, 0, 0)
		if got == nil || got.ID != id || got.Mail.ReversePath.String() != "bob@sender.example" || got.Recipients[0].Path.String() != "ann@in.example" || got.Results != nil {
			t.Errorf("%+v", got)
		}
		stop(t, s, nil)
	})
}
