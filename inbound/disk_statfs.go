//go:build darwin || freebsd || linux

package inbound

import "syscall"

// freeSpace returns how many octets of dir's file system are free for us.
func freeSpace(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
