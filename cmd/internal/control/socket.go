package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// socketName is the socket in the state folder.
const socketName = "mxhook.sock"

// privatePattern is the folder in which a socket gets its mode before it gets its
// name. A crash may leave one behind.
const privatePattern = ".control-*"

// Path returns where the socket of a state folder is.
func Path(state string) string { return filepath.Join(state, socketName) }

// maxAddress is how many octets an address of a unix socket holds, with the NUL that
// ends it: 108 on Linux, 104 on BSD.
const maxAddress = len(syscall.RawSockaddrUnix{}.Path)

// withAddress calls use with a name of path that fits into a socket's address. A long
// path goes by the open folder, where the system has /proc.
func withAddress(path string, use func(name string) error) error {
	if len(path) < maxAddress {
		return use(path)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	short := fmt.Sprintf("/proc/self/fd/%d", folder.Fd())
	if _, err := os.Stat(short + "/."); err != nil {
		return fmt.Errorf("the path %s has %d octets and a unix socket's has at most %d; give the configuration a shorter `state`", path, len(path), maxAddress-1)
	}
	return use(short + "/" + filepath.Base(path))
}

// listen makes the socket at path, in the place of whatever socket is there. It has
// mode 0600 and listens before it has that name.
func listen(path string) (*net.UnixListener, error) {
	state := filepath.Dir(path)
	stale, _ := filepath.Glob(filepath.Join(escapeGlob(state), privatePattern))
	for _, left := range stale {
		os.RemoveAll(left)
	}
	private, err := os.MkdirTemp(state, privatePattern) // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	unnamed := filepath.Join(private, "s")
	var ln *net.UnixListener
	err = withAddress(unnamed, func(address string) (err error) {
		ln, err = net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // that name is not the socket's for long
	err = os.Chmod(unnamed, 0o600)
	if err == nil {
		err = os.Rename(unnamed, path)
	}
	if err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// dial connects to the socket at path.
func dial(path string) (conn net.Conn, err error) {
	err = withAddress(path, func(address string) (err error) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: address, Net: "unix"})
		return err
	})
	return conn, err
}

// isNobody tells whether err, of dial, says that nobody is there: no socket, or one
// that a killed process left.
func isNobody(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOTSOCK) || errors.Is(err, syscall.ENOTDIR)
}

// escapeGlob quotes what filepath.Match takes for more than itself.
func escapeGlob(s string) string {
	var quoted []byte
	for i := range len(s) {
		if s[i] == '*' || s[i] == '?' || s[i] == '[' || s[i] == '\\' {
			quoted = append(quoted, '\\')
		}
		quoted = append(quoted, s[i])
	}
	return string(quoted)
}
