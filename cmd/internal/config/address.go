package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"mxhook/routing"
)

// splitAddress reads HOST:PORT; why says what is wrong with it. The host may be
// empty: all addresses.
func splitAddress(s string) (host, port, why string) {
	const form = "an address is HOST:PORT such as 127.0.0.1:2525 or :25"
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", "", form
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", "", form + ", with a port of 0 to 65535"
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !isHostname(routing.Domain(host)) {
		return "", "", form
	}
	return host, strconv.FormatUint(n, 10), ""
}

// maxSocketPath is what sun_path holds, its NUL apart (unix(7)); where the system has
// less, listening tells.
const maxSocketPath = 107

// wrongSocketPath says what is wrong with the path of a unix socket, or "".
func wrongSocketPath(path string) string {
	switch {
	case !filepath.IsAbs(path):
		return "a unix socket is unix: and an absolute path, such as unix:/run/mxhook/lmtp.sock"
	case filepath.Clean(path) != path:
		return "write the path of a unix socket without //, /./, /../ and a last /"
	case len(path) > maxSocketPath:
		return fmt.Sprintf("the path of a unix socket has at most %d octets, this one has %d", maxSocketPath, len(path))
	case strings.ContainsRune(path, 0):
		return "the path of a unix socket holds a NUL"
	}
	return ""
}

// sameAddress tells whether two addresses can't be listened at together.
func sameAddress(a, b string) bool {
	for _, form := range []string{"unix:", "systemd:"} {
		if strings.HasPrefix(a, form) || strings.HasPrefix(b, form) {
			return a == b
		}
	}
	hostA, portA, whyA := splitAddress(a)
	hostB, portB, whyB := splitAddress(b)
	if whyA != "" || whyB != "" || portA != portB || portA == "0" {
		return false
	}
	return strings.EqualFold(hostA, hostB) || isAny(hostA) || isAny(hostB)
}

func isAny(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}

func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
