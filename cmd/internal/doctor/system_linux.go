package doctor

import (
	"io/fs"
	"syscall"
)

// kinds are file systems on which a state folder should not be, by the magic number of
// statfs(2).
var kinds = map[int64]struct{ name, why string }{
	0x01021994: {"tmpfs, a file system in memory", "the ledger and the spool are gone with the next start of the machine"},
	0x858458f6: {"ramfs, a file system in memory", "the ledger and the spool are gone with the next start of the machine"},
	0x794c7630: {"overlayfs, a container's own layer", "the ledger and the spool are gone with the container"},
	0x6969:     {"NFS", "locks and fsync of a network file system are not always what they promise, and its server is one more thing that can be away"},
	0xff534d42: {"CIFS", "locks and fsync of a network file system are not always what they promise, and its server is one more thing that can be away"},
	0xfe534d42: {"SMB2", "locks and fsync of a network file system are not always what they promise, and its server is one more thing that can be away"},
	0x9fa0:     {"procfs, which the kernel makes up", "no file of ours can be there"},
	0x62656572: {"sysfs, which the kernel makes up", "no file of ours can be there"},
	0x65735546: {"FUSE", "whether its fsync is true is up to its program"},
}

func volumeOf(path string) (volume, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(existing(path), &s); err != nil {
		return volume{}, false
	}
	v := volume{free: int64(s.Bavail) * int64(s.Bsize), files: -1}
	if s.Blocks == 0 { // the kernel's own, such as /proc, and some of other programs
		v.free = -1
	}
	if s.Files > 0 {
		v.files = int64(s.Ffree)
	}
	k := kinds[int64(uint32(s.Type))]
	v.kind, v.why = k.name, k.why
	return v, true
}

// Of adjtimex(2).
const (
	unsynchronized = 0x40 // STA_UNSYNC
	timeError      = 5    // TIME_ERROR
)

// synchronized asks the kernel whether something keeps its clock.
func synchronized() (synchronized, known bool) {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	return err == nil && state != timeError && t.Status&unsynchronized == 0, err == nil
}

func ownerOf(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// fileLimit returns how many files this process may have open.
func fileLimit() (n int64, known bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return int64(min(limit.Max, 1<<40)), true
}
