package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mxhook/cmd/internal/control"
	"mxhook/sinks/spool"
)

const id = "msg_abcdefghijklmnopqrstuvwxyz"

// fake are Operations that remember what they were asked.
type fake struct {
	items    int
	list     func(n int) error // before the nth item
	selected control.Selection
	stored   control.Stored
	content  []byte
	listed   atomic.Int64
	send     func() error
}

func (f *fake) List(_ context.Context, filter control.Filter, yield func(spool.Item) error) error {
	if filter.State == "bad" {
		return control.Invalid("no such state")
	}
	for n := range f.items {
		if f.list != nil {
			if err := f.list(n); err != nil {
				return err
			}
		}
		f.listed.Add(1)
		if err := yield(spool.Item{ID: fmt.Sprint(id, ".s", n), Sink: fmt.Sprint("s", n), State: spool.Dead, Detail: filter.Sink}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Show(_ context.Context, name string) ([]control.Shown, error) {
	if name != id+".app" {
		return nil, control.NotFound(name)
	}
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	i := spool.Item{ID: id + ".app", Sink: "app", BuriedAt: at, Recipients: []string{"ann@in.example"}, Attempts: 3}
	return []control.Shown{{Item: i, Subject: "hello", Record: []byte(`{"session":{"helo":"mail"}}`)}}, nil
}

func (f *fake) Raw(_ context.Context, name string, w io.Writer) error {
	if name != id+".app" {
		return control.NotFound(name)
	}
	_, err := io.Copy(w, strings.NewReader("Subject: hello\r\n\r\nText.\r\n"))
	return err
}

func (f *fake) Replay(_ context.Context, s control.Selection) (control.Changed, error) {
	f.selected = s
	return control.Changed{Dead: 1, Waiting: 2, Failed: []control.Failure{{Name: "x", Error: "y"}}, Working: true}, nil
}

func (f *fake) Drop(_ context.Context, s control.Selection) (control.Changed, error) {
	f.selected = s
	return control.Changed{Dead: 7}, errors.New("disk full")
}

func (f *fake) Send(_ context.Context, m control.Stored, content io.Reader) (r control.Report, err error) {
	f.stored = m
	if f.send != nil {
		return r, f.send()
	}
	f.content, err = io.ReadAll(content)
	return control.Report{Reply: "250 2.0.0 OK", Complete: true}, err
}

// start runs a server with a client.
func start(t *testing.T, state string, o control.Operations) (*control.Server, *control.Client) {
	t.Helper()
	s := control.NewServer(state, o, slog.New(slog.DiscardHandler))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Drain(context.Background()); s.Stop(context.Background()) })
	c, err := control.Dial(state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

func TestAClientIsTheBridgeToItsUser(t *testing.T) {
	f := &fake{items: 3}
	_, c := start(t, t.TempDir(), f)
	ctx := t.Context()

	var listed []spool.Item
	if err := c.List(ctx, control.Filter{Sink: "app & co"}, func(i spool.Item) error { listed = append(listed, i); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 3 || listed[2].ID != id+".s2" || listed[0].Detail != "app & co" {
		t.Errorf("%+v", listed)
	}
	want, _ := f.Show(ctx, id+".app")
	if got, err := c.Show(ctx, id+".app"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	var raw bytes.Buffer
	if err := c.Raw(ctx, id+".app", &raw); err != nil || raw.String() != "Subject: hello\r\n\r\nText.\r\n" {
		t.Errorf("%q, %v", raw.String(), err)
	}
	names := control.Selection{Names: []string{id + ".app", id}}
	if got, err := c.Replay(ctx, names); err != nil || got.Dead != 1 || got.Waiting != 2 || len(got.Failed) != 1 || !got.Working || !reflect.DeepEqual(f.selected, names) {
		t.Errorf("%+v, %v, %+v", got, err, f.selected)
	}
	all := control.Selection{All: true, Filter: control.Filter{State: spool.Dead}}
	if _, err := c.Drop(ctx, all); err == nil || err.Error() != "disk full" || !reflect.DeepEqual(f.selected, all) {
		t.Errorf("%v, %+v", err, f.selected)
	}
	m := control.Stored{Recipients: []string{"jörg&co@in.example", "b@in.example"}, RemoteIP: "192.0.2.1", HELO: "x y", Again: true}
	content := bytes.Repeat([]byte("Subject: hello\r\n"), 1<<16)
	if got, err := c.Send(ctx, m, bytes.NewReader(content)); err != nil || !got.Complete || !reflect.DeepEqual(f.stored, m) || !bytes.Equal(f.content, content) {
		t.Errorf("%+v, %v, %+v, %d octets", got, err, f.stored, len(f.content))
	}
}

func TestAnErrorComesOverInItsWords(t *testing.T) {
	f := &fake{send: func() error { return control.Invalid("no such address") }}
	_, c := start(t, t.TempDir(), f)
	_, show := c.Show(t.Context(), "nonsense/../x")
	_, send := c.Send(t.Context(), control.Stored{}, io.LimitReader(zeros{}, 20<<20)) // which nobody reads
	_, neither := c.Replay(t.Context(), control.Selection{})
	_, both := c.Drop(t.Context(), control.Selection{All: true, Names: []string{id}})
	_, narrowed := c.Drop(t.Context(), control.Selection{Names: []string{id}, Filter: control.Filter{Sink: "app"}})
	_, state := c.Drop(t.Context(), control.Selection{All: true, Filter: control.Filter{State: "alive"}})
	for want, err := range map[string]error{
		"no event has the id nonsense/../x; see mxhook replay --list": show,
		"no event has the id x; see mxhook replay --list":             c.Raw(t.Context(), "x", io.Discard),
		"no such state":                         c.List(t.Context(), control.Filter{State: "bad"}, nil),
		"no such address":                       send,
		"either ids or all ":                    fmt.Errorf("%w ", neither),
		"either ids or all":                     both,
		"ids are not narrowed by state or sink": narrowed,
		`there is no state "alive"; these are: waiting, dead`: state,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestALongListStreams has a list that goes on only when its beginning has arrived.
func TestALongListStreams(t *testing.T) {
	const items = 10_000
	arrived := make(chan bool)
	f := &fake{items: items, list: func(n int) error {
		if n == items/2 {
			<-arrived
		}
		return nil
	}}
	_, c := start(t, t.TempDir(), f)
	n := 0
	err := c.List(t.Context(), control.Filter{}, func(spool.Item) error {
		if n++; n == 1 {
			close(arrived)
		}
		return nil
	})
	if err != nil || n != items {
		t.Errorf("%d items, %v", n, err)
	}
}

func TestAListThatBreaksOffIsAnError(t *testing.T) {
	f := &fake{items: 1000, list: func(n int) error {
		if n == 900 {
			return errors.New("disk on fire")
		}
		return nil
	}}
	_, c := start(t, t.TempDir(), f)
	err := c.List(t.Context(), control.Filter{}, func(spool.Item) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "the list broke off") {
		t.Errorf("%v", err)
	}
	enough := errors.New("enough")
	f.list = nil
	if err := c.List(t.Context(), control.Filter{}, func(spool.Item) error { return enough }); err != enough {
		t.Errorf("%v", err)
	}
}

func TestWhatIsMalformedIsRefusedAndHurtsNobody(t *testing.T) {
	state := t.TempDir()
	_, c := start(t, state, &fake{items: 1})
	post := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", path, len(body), body)
	}
	for name, tc := range map[string]struct{ request, want string }{
		"no HTTP":              {"EHLO mail.example\r\n\r\n", "HTTP/1.1 400 "},
		"a header too long":    {"GET /v1/spool HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		"an unknown request":   {"GET /v2/spool HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404 "},
		"no JSON":              {post("/v1/drop", "all"), "HTTP/1.1 400 "},
		"an unknown key":       {post("/v1/drop", `{"all":true,"only_sink":"app"}`), "HTTP/1.1 400 "},
		"a selection too long": {post("/v1/drop", `{"names":["`+strings.Repeat("x", 5<<20)+`"]}`), "HTTP/1.1 400 "},
		"half a selection":     {post("/v1/replay", `{"all":tr`), "HTTP/1.1 400 "},
		"no envelope":          {post("/v1/messages", "Subject: x\r\n\r\n"), "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", control.Path(state))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go io.WriteString(conn, tc.request)
			conn.SetDeadline(time.Now().Add(time.Minute))
			got := make([]byte, len(tc.want))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != tc.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	if err := c.List(t.Context(), control.Filter{}, func(spool.Item) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestDrainingIsToldAndTheSocketGoesWithTheServer(t *testing.T) {
	state := t.TempDir()
	s, c := start(t, state, &fake{})
	s.Drain(t.Context())
	if _, err := c.Replay(t.Context(), control.Selection{All: true}); err == nil || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("%v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(state); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if _, err := c.Replay(t.Context(), control.Selection{All: true}); err == nil || !strings.Contains(err.Error(), "does not answer at "+control.Path(state)) {
		t.Errorf("%v", err)
	}
	if _, err := control.Dial(state); !errors.Is(err, control.ErrNobody) {
		t.Errorf("%v", err)
	}
}

func TestARunningRequestEndsBeforeTheServer(t *testing.T) {
	reached, proceed := make(chan bool), make(chan bool)
	f := &fake{}
	f.send = func() error { close(reached); <-proceed; return control.Invalid("so it ended") }
	s, c := start(t, t.TempDir(), f)
	answer, stopped := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Send(context.Background(), control.Stored{}, strings.NewReader("")); answer <- err }()
	<-reached
	go func() { s.Drain(context.Background()); stopped <- s.Stop(context.Background()) }()
	for { // until it drains
		if _, err := c.Show(t.Context(), "x"); strings.Contains(err.Error(), "shutting down") {
			break
		}
	}
	close(proceed)
	if err := <-answer; err == nil || err.Error() != "so it ended" {
		t.Errorf("%v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[string]bool{
		id: true, id + ".app": true, id + ".a.b-c_D": true, id + ".eml": true,
		id + ".": false, "msg_abc": false, id + "x": false, strings.ToUpper(id): false, id + ".a/b": false, "./" + id: false, "": false, id + ".app\n": false,
	} {
		if control.IsName(s) != want {
			t.Errorf("%q is a name: %v", s, !want)
		}
	}
	if a, b := control.SplitName(id + ".a.b"); a != id || b != "a.b" {
		t.Errorf("%q, %q", a, b)
	}
}
