package dir

import (
	"context"
	"path/filepath"

	"mxhook/sinks/durable"
)

// Check writes a file as an event's are written and takes it away again, in the folder
// (of a Maildir in tmp and new) or, where that is still to be made, above it. See
// sinks.Checker.
func (s *Sink) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return s.failed(err).Err
	}
	folders := []string{s.config.Path}
	if s.config.Maildir {
		folders = []string{filepath.Join(s.config.Path, maildirTmp), filepath.Join(s.config.Path, maildirNew)}
	}
	for _, folder := range folders {
		if err := durable.Probe(folder); err != nil {
			return s.failed(err).Err
		}
	}
	return nil
}
