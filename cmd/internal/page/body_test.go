package page_test

import (
	"io"
	"strings"
)

// body is a request's.
func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
