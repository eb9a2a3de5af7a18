//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package ledger

import (
	"errors"
	"io"
)

// Lock fails: without a lock that ends with the process two of them could write to
// one folder.
func (d folder) Lock() (io.Closer, error) {
	return nil, errors.New("this system has no flock, which the ledger needs; set delivery.ledger to 0")
}
