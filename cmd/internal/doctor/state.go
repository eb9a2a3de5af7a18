package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mxhook/routing"
	"mxhook/sinks/durable"
)

// state checks the folder of the ledger, the spool and temporary files.
func (d *doctor) state(f *findings) {
	const why = "the ledger, the spool and large messages are there; without it serve does not start or answers 452 4.3.1"
	path := d.Config.State
	absolute := absolute(path)
	info, err := os.Stat(path)
	exists := err == nil
	switch err := durable.Probe(path); {
	case errors.Is(err, fs.ErrPermission):
		f.add(Error, "state", absolute+" can't be written by this user", why, folderFix("state", absolute, err))
	case durable.IsStorage(err):
		f.add(Error, "state", absolute+": "+durable.Reason(err), why, "make room on the disk, or mend it")
	case err != nil:
		f.add(Error, "state", absolute+": "+durable.Reason(err), why, folderFix("state", absolute, err))
	case !exists:
		f.ok("state", "%s is not there yet; serve can make it", absolute)
	default:
		f.ok("state", "%s can be written, and what is written is fsynced", absolute)
	}
	if exists {
		d.modes(f, absolute, info)
	}
	d.space(f, absolute)
}

func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// folderFix says what mends a folder that can't be written; key is the place in the
// configuration that names it.
func folderFix(key, path string, err error) string {
	make := "sudo install -d -m 700 -o MXHOOK-USER " + path
	there := existing(path)
	info, statErr := os.Stat(there)
	switch {
	case statErr == nil && !info.IsDir():
		return there + " is a file: move it away, or name another folder in " + key
	case errors.Is(err, fs.ErrNotExist): // though the folder above is there
		return "no folder can be made in " + there + ": name another one in " + key
	case errors.Is(err, fs.ErrPermission):
		return "run doctor as the user that runs mxhook serve; if it is: " + make
	}
	return make
}

// modes checks who else may read the folder, and whose it is.
func (d *doctor) modes(f *findings, path string, info fs.FileInfo) {
	if info.IsDir() && info.Mode().Perm()&0o007 != 0 {
		f.add(Warning, "state_mode", fmt.Sprintf("%s has the mode %04o", path, info.Mode().Perm()), "every user of this machine can look into the mail that waits there", "chmod 700 "+path)
	}
	if uid, ok := ownerOf(info); ok && uid != os.Geteuid() {
		f.add(Info, "state_owner", fmt.Sprintf("%s belongs to the user with the id %d, and doctor runs as %d", path, uid, os.Geteuid()),
			"what this user may do says nothing of what that one may", fmt.Sprintf("run doctor as the user of mxhook serve: sudo -u '#%d' mxhook doctor …", uid))
	}
}

// volume is a file system, as far as the system tells.
type volume struct {
	free  int64  // octets; -1 is not known
	files int64  // that can still be made; -1 is not known
	kind  string // what it is when that is no good, else ""
	why   string
}

// space checks the file system that the folder is, or will be, on.
func (d *doctor) space(f *findings, path string) {
	v, ok := volumeOf(path)
	reserve, most := d.Config.Limits.DiskReserve, d.Config.Spool.MaxBytes
	spools := slices.ContainsFunc(d.Config.Routes, func(r routing.Rule) bool { return r.Spool || r.SpillAfter > 0 })
	switch {
	case !ok || v.free < 0:
		f.add(Info, "disk_space", "this system does not say how much is free", "", "")
	case v.free < reserve:
		f.add(Error, "disk_space", fmt.Sprintf("%s is free, less than limits.disk_reserve %s", size(v.free), size(reserve)), "every mail is answered with 452 4.3.1", "make room on the file system of "+path+", or lower limits.disk_reserve")
	case v.free-reserve < most && spools:
		f.add(Warning, "disk_space", fmt.Sprintf("%s is free; the spool may grow to %s, and %s is limits.disk_reserve", size(v.free), size(most), size(reserve)),
			"the disk is full before the spool is, and then all mail is answered with 452 4.3.1", "make room, or lower spool.max_bytes")
	default:
		f.ok("disk_space", "%s is free", size(v.free))
	}
	if ok && v.files >= 0 && v.files < 10_000 {
		f.add(Warning, "disk_space", fmt.Sprintf("only %d more files can be made (inodes)", v.files), "each event in the spool is two files", "remove small files, or make a file system with more inodes")
	}
	if v.kind != "" {
		f.add(Warning, "file_system", fmt.Sprintf("%s is on %s", path, v.kind), v.why, "put state on a local disk, in a container on a volume")
	}
}

// size is n octets as people write it.
func size(n int64) string {
	for _, u := range []struct {
		name   string
		octets int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.octets {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.octets), u.name)
		}
	}
	return fmt.Sprintf("%d octets", n)
}

// existing is the nearest folder to path, upwards, that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}
