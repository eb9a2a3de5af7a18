//go:build !(darwin || freebsd || linux)

package inbound

import "errors"

// freeSpace doesn't know: there is no reserve here.
func freeSpace(string) (int64, error) { return 0, errors.ErrUnsupported }
