package control_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"mxhook/cmd/internal/control"
)

// TestAnotherUserCantConnect dials from a thread that has another user's rights.
func TestAnotherUserCantConnect(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	state, err := os.MkdirTemp("/tmp", "mxhook-test-*") // whose parents let everybody through
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(state) })
	os.Chmod(state, 0o755)
	start(t, state, &fake{})
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			result <- errno
			return
		}
		_, err := control.Dial(state)
		result <- err
	}()
	if err := <-result; err == nil || errors.Is(err, control.ErrNobody) || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("%v", err)
	}
}
