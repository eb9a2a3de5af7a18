package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mxhook/inbound/status"
)

func TestALogSaysTheConditionOnce(t *testing.T) {
	err := status.SinkOperator.Wrap("source jobs", errors.New("HTTP 400 AccessDenied"))
	for _, err := range []error{err, fmt.Errorf("%w", err)} {
		var b strings.Builder
		slog.New(slog.NewTextHandler(&b, nil)).Error("failed", fault(err))
		if line := b.String(); !strings.Contains(line, `condition=sink_misconfigured error="source jobs: HTTP 400 AccessDenied"`) || strings.Count(line, "sink_misconfigured") != 1 {
			t.Error(line)
		}
	}
	if got := Words(errors.New("plain")); got != "plain" {
		t.Errorf("%q", got)
	}
}
