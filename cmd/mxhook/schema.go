package main

import (
	"context"

	"mxhook/sinks/payload"
)

// runSchema prints the JSON Schema of the native payload.
func runSchema(_ context.Context, t *terminal, args []string) int {
	f := newFlags(t, "schema")
	if _, status, ok := f.parse(args, 0, 0); !ok {
		return status
	}
	if _, err := t.stdout.Write(payload.Schema()); err != nil {
		return f.fail("%v", err)
	}
	return exitGood
}
