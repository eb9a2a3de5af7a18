package bridge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/password"
)

// authenticator asks for the users of a submission listener; nil where there are none.
func authenticator(lc config.Listener) (func(ctx context.Context, user, password string) error, error) {
	if lc.Kind != "submission" {
		return nil, nil
	}
	users := map[string]password.Hash{}
	for _, u := range lc.Users {
		h, err := password.Parse(string(u.PasswordHash))
		if err != nil {
			return nil, fmt.Errorf("user %q: password_hash: %w", u.Name, err)
		}
		users[u.Name] = h
	}
	return password.NewBook(users).Check, nil
}

// listenAt listens at an address of the configuration: HOST:PORT or unix:/PATH. The
// error says what to do about it.
func listenAt(address string) (net.Listener, error) {
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		return listenUnix(path)
	}
	ln, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w (a port below 1024 needs root, the capability CAP_NET_BIND_SERVICE or a socket of systemd)", err)
	case err != nil && strings.Contains(err.Error(), "address already in use"):
		return nil, fmt.Errorf("%w (another program listens there)", err)
	}
	return ln, err
}

// socketMode lets the group of a socket in beside its owner: connecting needs the
// right to write. The mail system's user must be in that group, which the socket
// inherits from its folder where that has the setgid bit.
const socketMode = 0o660

// socket is a listener on a unix socket that takes away its own file and no other:
// somebody may have put another one there since.
type socket struct {
	*net.UnixListener
	path   string
	file   os.FileInfo
	remove sync.Once
}

func listenUnix(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w (make the folder first)", err)
		}
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	s := &socket{UnixListener: ln, path: path}
	if s.file, err = os.Lstat(path); err == nil {
		err = os.Chmod(path, socketMode)
	}
	if err != nil {
		ln.Close()
		return nil, err
	}
	return s, nil
}

// Close takes the file away before it closes: as long as it is there, somebody listens.
func (s *socket) Close() error {
	s.remove.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
			os.Remove(s.path)
		}
	})
	return s.UnixListener.Close()
}

// removeStale removes the socket of a process that ended without doing so. A socket at
// which somebody listens, and a file that is none, stay, and are an error.
func removeStale(path string) error {
	switch file, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case file.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s exists and is no socket; remove it or choose another path", path)
	}
	nc, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		nc.Close()
		return fmt.Errorf("another program listens at %s", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return fmt.Errorf("%s exists, and whether somebody listens there can't be found out: %w", path, err)
}
