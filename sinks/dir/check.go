package dir

import (
	"context"

	"mxhook/sinks/durable"
)

// Check writes a file as an event's are written and takes it away again, in the folder
// or, where that is still to be made, above it. See sinks.Checker.
func (s *Sink) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return s.failed(err).Err
	}
	if err := durable.Probe(s.config.Path); err != nil {
		return s.failed(err).Err
	}
	return nil
}
