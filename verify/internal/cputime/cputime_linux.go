package cputime

import (
	"syscall"
	"time"
)

// Used is the time that all threads of this process have run, in user mode and in the
// system. Where a system doesn't tell, it is the clock on the wall.
func Used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // Linux always tells
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
