package bridge

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// firstInherited is the descriptor of the first socket that a service manager hands
// over (sd_listen_fds(3)).
const firstInherited = 3

// inherited are the sockets that a service manager has opened for this process, by
// their names (FileDescriptorName= of a systemd socket unit).
type inherited struct {
	names []string // of the descriptors from firstInherited on
	taken []bool
}

// inheritedSockets reads what the environment says of them. Sockets for another
// process, a parent's, are none of ours.
func inheritedSockets(getenv func(string) string, pid int) *inherited {
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 1 || n > 1000 || getenv("LISTEN_PID") != strconv.Itoa(pid) {
		return &inherited{}
	}
	var names []string
	if all := getenv("LISTEN_FDNAMES"); all != "" {
		names = strings.Split(all, ":")
	}
	for len(names) < n {
		names = append(names, "unknown") // what sd_listen_fds_with_names(3) calls them
	}
	return &inherited{names: names[:n], taken: make([]bool, n)}
}

// listenAt listens at an address of the configuration: at all sockets of systemd:NAME,
// or as listenAt does.
func (in *inherited) listenAt(address string) ([]net.Listener, error) {
	if name, isInherited := strings.CutPrefix(address, "systemd:"); isInherited {
		return in.listen(name)
	}
	ln, err := listenAt(address)
	if err != nil {
		return nil, err
	}
	return []net.Listener{ln}, nil
}

// listen returns the listeners of all sockets with a name: one for each ListenStream=
// of the unit.
func (in *inherited) listen(name string) (all []net.Listener, err error) {
	for i, n := range in.names {
		if n != name {
			continue
		}
		in.taken[i] = true
		f := os.NewFile(uintptr(firstInherited+i), n)
		ln, listenErr := net.FileListener(f) // a copy, which no child inherits
		f.Close()
		if listenErr != nil {
			err = fmt.Errorf("the inherited socket %q is no listening stream socket (Accept=no and ListenStream= are needed): %w", name, listenErr)
			continue
		}
		all = append(all, ln)
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("no socket with the name %q was inherited; there are: %s", name, in.list())
	}
	if err != nil {
		for _, ln := range all {
			ln.Close()
		}
		return nil, err
	}
	return all, nil
}

func (in *inherited) list() string {
	if len(in.names) == 0 {
		return "none (LISTEN_FDS and LISTEN_PID don't name this process; is it started by its socket unit?)"
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(in.names))), ", ")
}

// unused returns the names of sockets that no listener took.
func (in *inherited) unused() (names []string) {
	for i, n := range in.names {
		if !in.taken[i] {
			names = append(names, n)
		}
	}
	return names
}
