package smtpd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The PROXY protocol (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt),
// by which a load balancer says who its client is. A header from anybody else would
// let a peer choose its own address, so it is taken from Config.Proxies alone, once,
// before the first octet of TLS or SMTP, and read byte by byte up to its end: what
// follows is the client's.

const (
	proxyTime  = 5 * time.Second // for a whole header
	maxProxyV1 = 107             // octets of a version 1 header with its line end
	// strangerPause is how long a peer that is no proxy is waited for on a listener for
	// proxies before it is greeted, and clientPause the client behind one: a header
	// where none may be is then closed upon before anything was said.
	strangerPause = 200 * time.Millisecond
	clientPause   = time.Millisecond
)

const (
	proxyV1 = "PROXY "
	proxyV2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// errNoProxyHeader says that what came can't be the beginning of a header.
var errNoProxyHeader = errors.New("no PROXY header")

// readProxyHeader reads one header from r, and not an octet more. The address is that
// of the true peer, unmapped; it is not valid when the proxy speaks for itself (a
// health check) or doesn't know its client: then the connection is the proxy's own.
// io.EOF means that nothing came at all.
func readProxyHeader(r io.Reader) (netip.AddrPort, error) {
	var b [maxProxyV1]byte
	for n := 0; n < len(b); {
		if _, err := io.ReadFull(r, b[n:n+1]); err != nil {
			if n > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return netip.AddrPort{}, err
		}
		n++
		head := string(b[:n])
		switch {
		case head == proxyV2:
			return readProxyV2(r)
		case n <= len(proxyV1) && strings.HasPrefix(proxyV1, head), n < len(proxyV2) && strings.HasPrefix(proxyV2, head):
		case !strings.HasPrefix(head, proxyV1):
			return netip.AddrPort{}, errNoProxyHeader
		case b[n-1] == '\n':
			return parseProxyV1(head)
		}
	}
	return netip.AddrPort{}, errors.New("version 1: no line end within 107 octets")
}

// parseProxyV1 reads "PROXY TCP4 source destination port port CR LF". Nothing is
// lenient here: proxies write it by machine.
func parseProxyV1(line string) (netip.AddrPort, error) {
	line, ok := strings.CutSuffix(strings.TrimPrefix(line, proxyV1), "\r\n")
	if !ok {
		return netip.AddrPort{}, errors.New("version 1: the line doesn't end with CR LF")
	}
	f := strings.Split(line, " ")
	if f[0] == "UNKNOWN" { // whatever follows is to be ignored
		return netip.AddrPort{}, nil
	}
	if len(f) != 5 || f[0] != "TCP4" && f[0] != "TCP6" {
		return netip.AddrPort{}, errors.New("version 1: malformed")
	}
	source, err := proxyAddr(f[1], f[0] == "TCP4")
	if err != nil {
		return netip.AddrPort{}, err
	}
	if _, err := proxyAddr(f[2], f[0] == "TCP4"); err != nil {
		return netip.AddrPort{}, err
	}
	port, err := proxyPort(f[3])
	if err != nil {
		return netip.AddrPort{}, err
	}
	if _, err := proxyPort(f[4]); err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(source, port), nil
}

func proxyAddr(s string, v4 bool) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is4() != v4 || a.Zone() != "" {
		return netip.Addr{}, errors.New("version 1: an address is malformed")
	}
	return a.Unmap(), nil
}

func proxyPort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("version 1: a port is malformed")
	}
	return uint16(n), nil
}

// readProxyV2 reads what follows the signature of a version 2 header.
func readProxyV2(r io.Reader) (netip.AddrPort, error) {
	head := append(make([]byte, 0, 16+64), proxyV2...)
	head = head[:16]
	if err := readRest(r, head[12:]); err != nil {
		return netip.AddrPort{}, err
	}
	version, command, family := head[12]>>4, head[12]&15, head[13]
	if version != 2 || command > 1 {
		return netip.AddrPort{}, fmt.Errorf("version 2: version %d, command %d", version, command)
	}
	if command == 0 { // LOCAL: the rest means nothing
		err := readRest(r, make([]byte, binary.BigEndian.Uint16(head[14:])))
		return netip.AddrPort{}, err
	}
	rest := make([]byte, binary.BigEndian.Uint16(head[14:]))
	if err := readRest(r, rest); err != nil {
		return netip.AddrPort{}, err
	}
	addresses, known := map[byte]int{0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}[family]
	if !known || len(rest) < addresses {
		return netip.AddrPort{}, fmt.Errorf("version 2: family %#x in %d octets", family, len(rest))
	}
	if family != 0 { // what an unspecified family brings is to be ignored
		if err := checkTLVs(append(head, rest...), 16+addresses); err != nil {
			return netip.AddrPort{}, err
		}
	}
	switch family {
	case 0x11:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest)), binary.BigEndian.Uint16(rest[8:])), nil
	case 0x21:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest)).Unmap(), binary.BigEndian.Uint16(rest[32:])), nil
	}
	return netip.AddrPort{}, nil // a peer without an address
}

// readRest fills p; an end before that is never io.EOF.
func readRest(r io.Reader, p []byte) error {
	if _, err := io.ReadFull(r, p); err == io.EOF {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	return nil
}

const proxyTLVChecksum = 0x03 // PP2_TYPE_CRC32C

// checkTLVs walks the extensions of a version 2 header, which begin at offset at. Of
// all of them only a checksum matters here; one that is wrong spoils the header.
func checkTLVs(header []byte, at int) error {
	for at < len(header) {
		if len(header)-at < 3 {
			return errors.New("version 2: an extension is cut off")
		}
		kind, n := header[at], int(binary.BigEndian.Uint16(header[at+1:]))
		value := header[at+3:]
		if len(value) < n {
			return errors.New("version 2: an extension is cut off")
		}
		if kind == proxyTLVChecksum {
			if n != 4 {
				return errors.New("version 2: malformed checksum")
			}
			claimed := binary.BigEndian.Uint32(value)
			sum := bytes.Clone(header)
			clear(sum[at+3 : at+7])
			if crc32.Checksum(sum, crc32.MakeTable(crc32.Castagnoli)) != claimed {
				return errors.New("version 2: wrong checksum")
			}
		}
		at += 3 + n
	}
	return nil
}

// isProxy tells whether a header is required of ip.
func (s *Server) isProxy(ip netip.Addr) bool {
	for _, p := range s.cfg.Proxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// identify finds out who the peer is: it reads the header of a proxy, and looks for
// one where none may be. It tells whether the session may begin.
func (c *conn) identify() bool {
	if len(c.srv.cfg.Proxies) == 0 {
		return true
	}
	pause := strangerPause
	if c.proxied {
		if !c.readProxy() || !c.admitPeer() {
			return false
		}
		pause = clientPause
	}
	if c.srv.cfg.TLSMode == TLSImplicit { // the client speaks first, and a header is no handshake
		return true
	}
	c.room()
	if !c.deadlineUnlessStopping(time.Now().Add(pause)) {
		return true
	}
	n, _ := c.nc.Read(c.buf[c.w:]) // an error comes again
	c.w += n
	if early := string(c.buf[:c.w]); strings.HasPrefix(early, proxyV1) || strings.HasPrefix(early, proxyV2[:5]) {
		c.closeOnProxyHeader()
		return false
	}
	return true
}

// readProxy reads the header and takes the peer's address from it. A connection on
// which nothing ever came is a health check and not worth a line in the log.
func (c *conn) readProxy() bool {
	if !c.deadlineUnlessStopping(time.Now().Add(min(proxyTime, c.srv.cfg.Limits.CommandTime))) {
		return false
	}
	from, err := readProxyHeader(c.raw)
	switch {
	case err == io.EOF:
		c.log.Debug("closed before a PROXY header")
		return false
	case err != nil:
		c.log.Info("PROXY header refused", "error", err)
		c.linger = true // a plain end, though there may be unread octets
		return false
	case from.IsValid():
		proxy := c.session.RemoteIP
		c.session.RemoteIP, c.session.RemotePort = from.Addr(), from.Port()
		c.log = c.srv.sessionLog(c.session).With("proxy", proxy)
	}
	return true
}

// isProxyHeader tells whether a command line is the PROXY header that may stand before
// the first command alone: version 1, or the third line of version 2's signature.
func isProxyHeader(line []byte) bool {
	return bytes.HasPrefix(line, []byte(proxyV1)) || len(line) == 1 && line[0] == 0
}

// closeOnProxyHeader ends the connection without a word, because of a header from a
// stranger, a second one, or one that comes late.
func (c *conn) closeOnProxyHeader() {
	c.log.Info("PROXY header refused", "error", "it may stand before the first command alone, and comes from the listener's proxies alone")
	c.out = nil
	c.end()
}
