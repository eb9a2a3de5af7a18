package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/control"
	"mxhook/sinks/durable"
)

// open finds who answers: the process that serves this state folder, by its socket,
// or this one, which opens the folder itself. done gives it back.
func (r *replay) open(ctx context.Context) (done func() error, err error) {
	state := r.config.State
	client, err := control.Dial(state)
	if err == nil {
		r.operations = client
		return func() error { client.Close(); return nil }, nil
	}
	if !errors.Is(err, control.ErrNobody) {
		return nil, err
	}
	if err := r.checkState(state); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(r.f.t.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	release, commit := buildVersion()
	b, err := bridge.New(r.config, bridge.Options{Log: log, Version: release, Commit: commit})
	if errors.Is(err, durable.ErrLocked) {
		return nil, fmt.Errorf("%w\nmxhook serve is starting or ending there, or has no socket at %s (its log says why); try again, or stop it first", err, control.Path(state))
	} else if err != nil {
		return nil, err
	}
	r.operations = b
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Delivery.Budget+drainTime)
		defer cancel()
		return b.Stop(ctx)
	}, nil
}

// checkState keeps this process from working at a state folder that it should not
// make, or whose files serve could not open after it.
func (r *replay) checkState(state string) error {
	info, err := os.Stat(state)
	if errors.Is(err, fs.ErrNotExist) && !r.sending {
		where, _ := filepath.Abs(state)
		return fmt.Errorf("no mxhook serve has run with this configuration: there is no state folder %s (a relative `state` is one of the working folder)", where)
	} else if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if inner, err := os.Stat(filepath.Join(state, "tmp")); err == nil { // which serve has made
		info = inner
	}
	if owner, ok := ownerOf(info); ok && owner != os.Geteuid() {
		return fmt.Errorf("%s belongs to the user with the id %d; run this as that user, so that mxhook serve can open what this writes", state, owner)
	}
	return nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}
