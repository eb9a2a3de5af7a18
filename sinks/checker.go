package sinks

import (
	"context"
	"errors"
)

// ErrUnchecked says of a sink that it is no Checker, so that only a delivery can tell.
var ErrUnchecked = errors.New("nothing but a delivery can tell")

// Checker is a Sink that can say, without delivering anything, whether it would take an
// event now. Implementing it is optional.
type Checker interface {
	// Check reaches for whoever the events go to, as Deliver does, and shows the
	// credentials where the protocol can tell by a question whether they are good. It
	// leaves nothing behind. nil says that nothing speaks against a delivery; else the
	// error wraps a Condition of package status and is in words for the operator, without
	// secrets. Check returns soon after ctx ends. It is safe for concurrent use.
	Check(ctx context.Context) error
}
