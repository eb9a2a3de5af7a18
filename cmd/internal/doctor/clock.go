package doctor

import (
	"context"
	"fmt"
	"time"
)

// Deviations of the clock: receivers of webhooks take timestamps of five minutes at most
// (Standard Webhooks), and an HTTP date has whole seconds.
const (
	tooFar  = 5 * time.Minute
	farther = 30 * time.Second
)

// clock compares the clock with what servers said, and asks the system.
func (d *doctor) clock(_ context.Context, f *findings) {
	const why = "receivers refuse webhooks whose timestamp is more than five minutes off, and certificates and DKIM signatures are judged by this clock"
	const fix = "timedatectl set-ntp true, or install chrony"
	compared := ""
	for _, s := range d.dates {
		off := s.ours.Sub(s.date)
		switch {
		case off.Abs() > tooFar:
			f.add(Error, "clock", fmt.Sprintf("it differs by %s from that of %s", off.Abs().Round(time.Second), s.host), why, fix)
			return
		case off.Abs() > farther:
			f.add(Warning, "clock", fmt.Sprintf("it differs by %s from that of %s", off.Abs().Round(time.Second), s.host), why, fix)
			return
		}
		compared = s.host
	}
	switch synchronized, known := d.Synchronized(); {
	case known && !synchronized:
		f.add(Warning, "clock", "the kernel says that nothing keeps it right", why, fix)
	case known:
		f.ok("clock", "the kernel says that it is kept right")
	case compared != "":
		f.ok("clock", "it agrees with that of %s", compared)
	default:
		f.add(Info, "clock", "this system does not say whether something keeps it right, and there was nobody to compare it with", why, "")
	}
}

// reservedFiles are those that the process needs besides its connections.
const reservedFiles = 64

// openFiles compares what the process may have open with what the limits promise.
func (d *doctor) openFiles(f *findings) {
	limit, known := fileLimit()
	if !known {
		return
	}
	wanted := int64(2*d.Config.Limits.Connections + reservedFiles)
	if limit < wanted {
		f.add(Warning, "open_files", fmt.Sprintf("a process of this user may have %d files open; limits.connections %d needs %d", limit, d.Config.Limits.Connections, wanted),
			"serve then takes fewer connections at once", fmt.Sprintf("in its systemd unit: LimitNOFILE=%d; a service may have another limit than this shell", max(wanted, 65536)))
		return
	}
	f.ok("open_files", "a process of this user may have %d files open", limit)
}
