package dns

import (
	"bufio"
	"bytes"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// systemFile says which servers the system asks (resolv.conf(5)).
const systemFile = "/etc/resolv.conf"

// Times after which something is looked at again.
const (
	fileAge   = 5 * time.Second // resolv.conf may have changed
	probeAge  = time.Minute     // a server that was passed over may answer again
	plainTime = 5 * time.Minute // a server may have learned EDNS
)

// upstream is a recursive server.
type upstream struct {
	addr string
	// trusted says that its AD bit is believed: nobody between it and us can have set
	// that (RFC 4035 4.9.3).
	trusted bool
	// plain is until when it is asked without EDNS, in nanoseconds of Unix time.
	plain atomic.Int64
}

// upstreams are the servers, and what is known of them.
type upstreams struct {
	file string // where they are read from again; "" if they were given

	mu      sync.Mutex
	list    []*upstream
	good    int       // the one that answered last
	probe   time.Time // when the first is tried again
	checked time.Time
	stamp   os.FileInfo
}

func newUpstreams(given []string) *upstreams {
	if len(given) > 0 {
		return &upstreams{list: parseServers(given)}
	}
	return &upstreams{file: systemFile, list: parseServers([]string{"127.0.0.1"})}
}

func parseServers(given []string) []*upstream {
	list := make([]*upstream, 0, len(given))
	for _, s := range given {
		host, _, err := net.SplitHostPort(s)
		if err != nil {
			host = strings.Trim(s, "[]")
			s = net.JoinHostPort(host, "53")
		}
		ip, err := netip.ParseAddr(host)
		list = append(list, &upstream{addr: s, trusted: err == nil && ip.Unmap().IsLoopback()})
	}
	return list
}

// order gives the servers in the order in which to ask them: the one that answered
// last goes first. Once in a minute one question tries the first of the list instead,
// since that is whom the operator prefers.
func (u *upstreams) order(now time.Time) []*upstream {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reload(now)
	list := make([]*upstream, 0, len(u.list))
	if u.good != 0 && !now.Before(u.probe) {
		u.probe = now.Add(probeAge)
		list = append(list, u.list[0])
	}
	list = append(list, u.list[u.good])
	for _, s := range u.list {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// answered remembers who did.
func (u *upstreams) answered(s *upstream, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at := slices.Index(u.list, s); at >= 0 && at != u.good {
		u.good, u.probe = at, now.Add(probeAge)
	}
}

// reload reads the system's file again when it has changed. While it can't be read or
// names nobody, the servers that were known stay.
func (u *upstreams) reload(now time.Time) {
	if u.file == "" || !u.checked.IsZero() && now.Sub(u.checked) < fileAge && !now.Before(u.checked) {
		return
	}
	u.checked = now
	stamp, err := os.Stat(u.file)
	if err != nil || u.stamp != nil && os.SameFile(stamp, u.stamp) && stamp.ModTime().Equal(u.stamp.ModTime()) && stamp.Size() == u.stamp.Size() {
		return
	}
	text, err := os.ReadFile(u.file)
	if err != nil {
		return
	}
	u.stamp = stamp
	if list := parseSystem(text); len(list) > 0 {
		u.list, u.good = list, 0
	}
}

// parseSystem reads the "nameserver" lines, and "options trust-ad", by which an
// administrator says that the way to these servers is secure. Search lists mean
// nothing here: all names that are asked for are absolute.
func parseSystem(text []byte) []*upstream {
	var given []string
	trusted := false
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 2 && fields[0] == "nameserver":
			if _, err := netip.ParseAddr(fields[1]); err == nil {
				given = append(given, net.JoinHostPort(fields[1], "53"))
			}
		case len(fields) >= 2 && fields[0] == "options":
			trusted = trusted || slices.Contains(fields[1:], "trust-ad")
		}
	}
	list := parseServers(given)
	for _, s := range list {
		s.trusted = s.trusted || trusted
	}
	return list
}
