package spool_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
	"mxhook/sinks/spool"
	"mxhook/verify"
	"mxhook/verify/authres"
)

func TestADeadEventIsKept(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	e := sinktest.NewEvent(500, "ann+7@in.example", "bob@in.example")
	e.Recipients[0].Captures = map[string]string{"ticket": "7"}
	e.Session.TLS = &inbound.TLS{Version: "TLS 1.3", ServerName: "mx.in.example"}
	e.Results = &verify.Results{FromVerified: true, DKIM: []verify.DKIM{{Result: authres.Pass, Aligned: true}}}
	reply, err := status.ParseReply("554 5.6.0 broken invoice")
	if err != nil {
		t.Fatal(err)
	}
	o := sinks.Outcome{Err: status.SinkRefused.WithReply("sink app", nil, reply), Attempts: 1, Detail: "HTTP 406"}
	s := open(t, state, spool.Options{})
	for range 2 { // again is the same
		if err := s.Bury(e, "app", o); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(state, "dead"))
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	raw, err := os.ReadFile(filepath.Join(state, "dead", e.ID+".app.eml"))
	if err != nil {
		t.Fatal(err)
	}
	frozen := make([]byte, e.Data.Size())
	e.Data.ReadAt(frozen, 0)
	if !slices.Equal(raw, frozen) {
		t.Errorf("the bytes are not those received: %.200q", raw)
	}
	meta, err := os.ReadFile(filepath.Join(state, "dead", e.ID+".app.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema, ID, Sink, Route, Condition, Reply, Detail string
		Attempts                                          int
		Session                                           struct {
			RemoteIP string `json:"remote_ip"`
			TLS      struct {
				ServerName string `json:"server_name"`
			}
		}
		Envelope struct {
			ReversePath string `json:"reverse_path"`
			Recipients  []struct {
				Address  string
				Captures map[string]string
			}
		}
		Results struct {
			DKIM []struct {
				Result  string
				Aligned bool
			}
			FromVerified bool `json:"from_verified"`
		}
		Raw struct {
			Size   int64
			SHA256 string
		}
	}
	if err := json.Unmarshal(meta, &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != spool.DeadSchema || got.ID != e.ID || got.Sink != "app" || got.Route != "tickets" || got.Condition != "sink_refused" ||
		got.Reply != "554 5.6.0 broken invoice" || got.Detail != "HTTP 406" || got.Attempts != 1 || got.Session.RemoteIP != "192.0.2.1" ||
		got.Session.TLS.ServerName != "mx.in.example" || got.Envelope.ReversePath != "bob@sender.example" || got.Raw.Size != e.Data.Size() || len(got.Raw.SHA256) != 64 {
		t.Errorf("%+v", got)
	}
	if to := got.Envelope.Recipients; len(to) != 2 || to[0].Address != "ann+7@in.example" || to[0].Captures["ticket"] != "7" {
		t.Errorf("%+v", to)
	}
	if r := got.Results; !r.FromVerified || len(r.DKIM) != 1 || r.DKIM[0].Result != "pass" || !r.DKIM[0].Aligned {
		t.Errorf("%+v", r)
	}
}

func TestASinksNameIsNoPath(t *testing.T) {
	state := t.TempDir()
	if err := open(t, state, spool.Options{}).Bury(sinktest.NewEvent(10), "../../evil", sinks.Outcome{Err: status.SinkRefused.Wrap("", nil)}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(state, "dead"))
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestWhatCantBeKeptIsNoStorage(t *testing.T) {
	state := filepath.Join(t.TempDir(), "path-canary")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "dead"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := open(t, state, spool.Options{}).Bury(sinktest.NewEvent(10), "app", sinks.Outcome{Err: status.SinkRefused.Wrap("", nil)})
	if status.ConditionOf(err) != status.NoStorage || strings.Contains(err.Error(), "canary") || errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	released := sinktest.NewEvent(10)
	released.Data.Release()
	state = t.TempDir()
	if err := open(t, state, spool.Options{}).Bury(released, "app", sinks.Outcome{}); status.ConditionOf(err) != status.NoStorage {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(filepath.Join(state, "dead")); err != nil || len(entries) != 0 {
		t.Errorf("a half event is left: %v, %v", entries, err)
	}
}
