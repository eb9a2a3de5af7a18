//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package bridge

import (
	"math"
	"syscall"
)

// openFiles returns how many files the process may have open, if that is known. Go has
// raised it as far as it may go.
func openFiles() (n int, known bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)), true
}
