package dkim_test

import (
	"math/big"
	"syscall"
	"testing"
	"time"
)

func bigInt(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// cpu is what this process has used: the clock on the wall also counts the neighbours.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Skip("no CPU time on this system: ", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
