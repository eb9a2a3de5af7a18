//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package durable

import (
	"errors"
	"io"
)

// Lock fails with errors.ErrUnsupported: this system has no lock that ends with the
// process.
func Lock(string) (io.Closer, error) { return nil, errors.ErrUnsupported }
