package smtpd

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/inbound"
)

// v2 makes a version 2 header: command and family, and what follows the length.
func v2(command, family byte, rest string) string {
	b := append([]byte(proxyV2), command, family)
	return string(binary.BigEndian.AppendUint16(b, uint16(len(rest)))) + rest
}

func tlv(kind byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value)))) + value
}

// sealed adds a checksum to the extensions of a header over IPv4.
func sealed(rest string) string {
	h := v2(0x21, 0x11, rest+tlv(3, "\x00\x00\x00\x00"))
	return h[:len(h)-4] + string(binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(h), crc32.MakeTable(crc32.Castagnoli))))
}

const (
	rest4 = "\xcb\x00\x71\x07\xc0\x00\x02\x01\x30\x39\x00\x19" // 203.0.113.7:12345 to 192.0.2.1:25
	rest6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x30\x39\x00\x19"
	mapd6 = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xcb\x00\x71\x07" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01" + "\x30\x39\x00\x19"
)

var proxyHeaders = []struct{ name, header, want string }{ // want "proxy": the proxy's own address
	{"version 1 over IPv4", "PROXY TCP4 203.0.113.7 192.0.2.1 12345 25\r\n", "203.0.113.7:12345"},
	{"version 1 over IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 12345 25\r\n", "[2001:db8::7]:12345"},
	{"version 1, a mapped address is unmapped", "PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 1 25\r\n", "203.0.113.7:1"},
	{"version 1, unknown", "PROXY UNKNOWN\r\n", "proxy"},
	{"version 1, unknown with anything", "PROXY UNKNOWN ffff::1 x y 1 2\r\n", "proxy"},
	{"version 1, as long as it may be", "PROXY UNKNOWN " + strings.Repeat("x", 107-16) + "\r\n", "proxy"},
	{"version 2 over IPv4", v2(0x21, 0x11, rest4), "203.0.113.7:12345"},
	{"version 2 over IPv6", v2(0x21, 0x21, rest6), "[2001:db8::7]:12345"},
	{"version 2, a mapped address is unmapped", v2(0x21, 0x21, mapd6), "203.0.113.7:12345"},
	{"version 2 with extensions", v2(0x21, 0x11, rest4+tlv(4, "")+tlv(0xea, "\x01vpce-1")), "203.0.113.7:12345"},
	{"version 2 with 64 KiB of extensions", v2(0x21, 0x11, rest4+tlv(4, strings.Repeat("x", 65535-12-3))), "203.0.113.7:12345"},
	{"version 2 with a checksum", sealed(rest4 + tlv(4, "pad")), "203.0.113.7:12345"},
	{"version 2, local", v2(0x20, 0x00, ""), "proxy"},
	{"version 2, local with anything", v2(0x20, 0x77, "anything"), "proxy"},
	{"version 2, unspecified", v2(0x21, 0x00, "anything"), "proxy"},
	{"version 2, unix socket", v2(0x21, 0x31, strings.Repeat("\x00", 216)), "proxy"},
}

var noProxyHeaders = []struct{ name, sent string }{
	{"a command", "EHLO client.test\r\n"},
	{"an empty line", "\r\nEHLO client.test\r\n"},
	{"nothing but its beginning", "PROX\r\n"},
	{"small letters", "proxy TCP4 203.0.113.7 192.0.2.1 12345 25\r\n"},
	{"version 1 with a bare LF", "PROXY TCP4 203.0.113.7 192.0.2.1 12345 25\n"},
	{"version 1 with two blanks", "PROXY TCP4  203.0.113.7 192.0.2.1 12345 25\r\n"},
	{"version 1 with a blank at its end", "PROXY TCP4 203.0.113.7 192.0.2.1 12345 25 \r\n"},
	{"version 1, other family", "PROXY UDP4 203.0.113.7 192.0.2.1 12345 25\r\n"},
	{"version 1, address of the other family", "PROXY TCP4 2001:db8::7 2001:db8::1 12345 25\r\n"},
	{"version 1, address with a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::1 12345 25\r\n"},
	{"version 1, no address", "PROXY TCP4 203.0.113 192.0.2.1 12345 25\r\n"},
	{"version 1, octets with leading zeros", "PROXY TCP4 203.000.113.007 192.0.2.1 12345 25\r\n"},
	{"version 1, port too large", "PROXY TCP4 203.0.113.7 192.0.2.1 65536 25\r\n"},
	{"version 1, port with a sign", "PROXY TCP4 203.0.113.7 192.0.2.1 +1 25\r\n"},
	{"version 1, destination's port is none", "PROXY TCP4 203.0.113.7 192.0.2.1 12345 x\r\n"},
	{"version 1, too long", "PROXY UNKNOWN " + strings.Repeat("x", 107-15) + "\r\n"},
	{"version 1 without an end", "PROXY TCP4 " + strings.Repeat("1", 200)},
	{"version 2, other version", v2(0x31, 0x11, rest4)},
	{"version 2, other command", v2(0x22, 0x11, rest4)},
	{"version 2, datagrams", v2(0x21, 0x12, rest4)},
	{"version 2, addresses are cut off", v2(0x21, 0x11, rest4[:11])},
	{"version 2, an extension is cut off", v2(0x21, 0x11, rest4+tlv(4, "pad")[:5])},
	{"version 2, an extension's length is cut off", v2(0x21, 0x11, rest4+"\x04\x00")},
	{"version 2 with a wrong checksum", v2(0x21, 0x11, rest4+tlv(3, "\x01\x02\x03\x04"))},
	{"version 2 with a short checksum", v2(0x21, 0x11, rest4+tlv(3, "\x01"))},
}

func proxies(networks ...string) func(*Config) {
	return func(c *Config) {
		for _, n := range networks {
			c.Proxies = append(c.Proxies, netip.MustParsePrefix(n))
		}
	}
}

// session returns the only session that the handler saw.
func (r *running) session() inbound.Session {
	r.t.Helper()
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if len(r.h.sessions) != 1 {
		r.t.Fatalf("%d sessions", len(r.h.sessions))
	}
	return r.h.sessions[0]
}

// The true peer is the header's, and not an octet of SMTP or TLS is lost, however
// the header is cut and whatever follows it in the same segment.
func TestTheTruePeerIsTheProxysClient(t *testing.T) {
	for _, c := range proxyHeaders {
		for _, mode := range []TLSMode{TLSNone, TLSStart, TLSImplicit} {
			t.Run(c.name+", "+string(mode), func(t *testing.T) {
				r := start(t, func(cfg *Config) { proxies("127.0.0.0/8")(cfg); cfg.TLSMode = mode })
				cl := r.dial()
				switch mode {
				case TLSNone:
					cl.send(c.header+"EHLO client.test\r\n").want("", "220 mx.test ").want("", "250-")
				case TLSStart:
					cl.send(c.header[:7]).send(c.header[7:]).hello().startTLS()
				case TLSImplicit:
					tc := tls.Client(&prefixed{cl.nc, c.header}, &tls.Config{InsecureSkipVerify: true})
					cl = newClient(t, tc)
					cl.hello()
				}
				cl.envelope().want("DATA", "354").want("x\r\n.", "250 2.0.0 msg_test").want("NOPE", "500").want("QUIT", "221")
				s := r.session()
				got, want := netip.AddrPortFrom(s.RemoteIP, s.RemotePort).String(), c.want
				if want == "proxy" {
					want = cl.nc.LocalAddr().String()
				}
				if got != want {
					t.Errorf("the peer is %s, want %s", got, want)
				}
				if c.want != "proxy" && !strings.Contains(r.log.String(), `"remote_ip":"`+s.RemoteIP.String()+`"`) {
					t.Errorf("the log doesn't name the peer: %s", r.log)
				}
			})
		}
	}
}

// prefixed puts a header and the first Write into one segment.
type prefixed struct {
	net.Conn
	header string
}

func (p *prefixed) Write(b []byte) (int, error) {
	if p.header == "" {
		return p.Conn.Write(b)
	}
	_, err := p.Conn.Write(append([]byte(p.header), b...))
	p.header = ""
	return len(b), err
}

// silence checks that the connection ends and nothing was said.
func silence(t *testing.T, c *client) {
	t.Helper()
	if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 {
		t.Errorf("said %q, %v", b, err)
	}
	c.nc.Close()
}

func TestAProxyWithoutAHeaderIsClosedWithoutAWord(t *testing.T) {
	for _, mode := range []TLSMode{TLSStart, TLSImplicit} {
		r := start(t, func(cfg *Config) { proxies("127.0.0.0/8")(cfg); cfg.TLSMode = mode })
		for _, c := range noProxyHeaders {
			t.Run(c.name, func(t *testing.T) {
				cl := r.dial()
				cl.t = t
				cl.send(c.sent + "EHLO client.test\r\n")
				silence(t, cl)
			})
		}
		if n := r.obs.open; n != 0 {
			t.Errorf("%d connections are counted", n)
		}
	}
}

func TestAHeaderThatComesLateOrNeverIsClosedWithoutAWord(t *testing.T) {
	for _, sent := range []string{"", "PROXY TCP4 203.0.113.7", v2(0x21, 0x11, rest4)[:20]} {
		synctest.Test(t, func(t *testing.T) {
			p, stop := startPiped(t, proxies("0.0.0.0/0", "::/0"))
			l := p.dialFrom("192.0.2.9:4711")
			began := time.Now()
			l.send(sent)
			<-l.closed
			if d := time.Since(began); d != proxyTime && d != proxyTime+lingerTime || l.finish() != "" {
				t.Errorf("after %q: closed after %v, said %q", sent, d, l.heard())
			}
			stop()
		})
	}
}

// A header that dribbles has no more time than one that comes at once.
func TestADribbledHeaderIsClosedWithoutAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := startPiped(t, proxies("0.0.0.0/0"))
		l, began := p.dialFrom("192.0.2.9:4711"), time.Now()
		for _, b := range strings.Split("PROXY UNKNOWN "+strings.Repeat("x", 50), "") {
			l.send(b)
			time.Sleep(time.Second)
			select {
			case <-l.closed:
				if d := time.Since(began); d > proxyTime+2*time.Second || l.finish() != "" {
					t.Errorf("closed after %v, said %q", d, l.heard())
				}
				stop()
				return
			default:
			}
		}
		t.Error("not closed")
		l.finish()
		stop()
	})
}

func TestAHeaderFromAStrangerIsClosedWithoutAWord(t *testing.T) {
	for _, mode := range []TLSMode{TLSStart, TLSImplicit} {
		r := start(t, func(cfg *Config) { proxies("192.0.2.0/24")(cfg); cfg.TLSMode = mode })
		for _, c := range proxyHeaders {
			cl := r.dial()
			cl.send(c.header + "EHLO client.test\r\n")
			silence(t, cl)
		}
		if !strings.Contains(r.log.String(), "PROXY header refused") && mode == TLSStart {
			t.Errorf("nothing is logged: %s", r.log)
		}
	}
}

func TestAStrangerWithoutAHeaderIsServed(t *testing.T) {
	r := start(t, proxies("192.0.2.0/24"))
	r.dial().send("EHLO early.test\r\n").want("", "220 ").want("", "250-").want("QUIT", "221")
	cl := r.dial().hello().envelope()
	if s := r.session(); netip.AddrPortFrom(s.RemoteIP, s.RemotePort).String() != cl.nc.LocalAddr().String() {
		t.Errorf("the peer is %s", s.RemoteIP)
	}
}

// The client behind a proxy can't name another address by a header of its own: before
// its first command nothing is said, and after it nothing more.
func TestASecondHeaderIsClosedWithoutAWord(t *testing.T) {
	for _, mode := range []TLSMode{TLSStart, TLSImplicit} {
		r := start(t, func(cfg *Config) { proxies("127.0.0.0/8")(cfg); cfg.TLSMode = mode })
		for _, first := range proxyHeaders {
			for _, second := range proxyHeaders {
				cl := r.dial()
				cl.send(first.header + second.header + "EHLO client.test\r\n")
				silence(t, cl)
			}
		}
	}
}

func TestALateHeaderEndsTheSession(t *testing.T) {
	r := start(t, proxies("127.0.0.0/8"))
	for _, late := range []string{"PROXY TCP4 203.0.113.7 192.0.2.1 12345 25\r\n", "\x00\r\n"} {
		for _, before := range []func() *client{
			func() *client { return r.dial().send("PROXY UNKNOWN\r\n").hello() },
			func() *client { return r.dial().send("PROXY UNKNOWN\r\n").hello().envelope() },
			func() *client { return r.dial().send("PROXY UNKNOWN\r\n").hello().envelope().want("BDAT 0", "250") },
			func() *client { return r.dial().send("PROXY UNKNOWN\r\n").hello().startTLS() },
		} {
			before().send(late+"NOOP\r\n").want("", "EOF")
		}
	}
	if n, _ := r.h.count(); n != 0 {
		t.Errorf("%d messages", n)
	}
}

// The limit of one peer counts clients, not the proxy, and the proxy's own health
// checks are served.
func TestConnectionLimitsCountTheProxysClients(t *testing.T) {
	r := start(t, func(c *Config) { proxies("127.0.0.0/8")(c); c.Limits.ConnectionsPerIP = 1 })
	r.dial().send("PROXY TCP4 203.0.113.7 192.0.2.1 1 25\r\n").hello()
	other := r.dial().send("PROXY TCP4 203.0.113.8 192.0.2.1 1 25\r\n").hello()
	r.dial().send(v2(0x21, 0x11, rest4)+"EHLO a.test\r\n").want("", "421 4.7.0 too many connections from your address").want("", "EOF")
	r.dial().send(v2(0x20, 0, "")).hello().want("QUIT", "221").want("", "EOF")
	other.want("QUIT", "221").want("", "EOF")
	r.awaitOpen(1)
	r.dial().send("PROXY TCP4 203.0.113.8 192.0.2.1 1 25\r\n").hello()
}

// awaitOpen waits until n connections are open.
func (r *running) awaitOpen(n int) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); r.limiter.Open() != n; {
		if time.Now().After(deadline) {
			r.t.Fatalf("%d connections are open, want %d", r.limiter.Open(), n)
		}
	}
}

// A connection that says nothing and ends is a health check and fills no log.
func TestAHealthCheckFillsNoLog(t *testing.T) {
	r := start(t, proxies("127.0.0.0/8"))
	for _, sent := range []string{"", v2(0x20, 0, ""), "PROXY UNKNOWN\r\n"} {
		cl := r.dial().send(sent)
		cl.nc.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, cl.nc)
		r.awaitOpen(0)
	}
	for line := range strings.Lines(r.log.String()) {
		if !strings.Contains(line, `"level":"DEBUG"`) {
			t.Errorf("logged %s", line)
		}
	}
}

// FuzzProxyHeader reads any octets as a header: it never takes an octet of what
// follows a header, and a version 1 header is what it would write itself.
func FuzzProxyHeader(f *testing.F) {
	for _, c := range proxyHeaders {
		f.Add([]byte(c.header))
	}
	for _, c := range noProxyHeaders {
		f.Add([]byte(c.sent))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const tail = "EHLO client.test\r\n"
		r := bytes.NewReader(append(bytes.Clone(in), tail...))
		from, err := readProxyHeader(r)
		if err != nil {
			if from.IsValid() {
				t.Fatalf("an address with the error %v", err)
			}
			return
		}
		used := len(in) + len(tail) - r.Len()
		again, err := readProxyHeader(bytes.NewReader(append(bytes.Clone(in), tail...)[:used]))
		if err != nil || again != from {
			t.Fatalf("%q is read as %v, alone as %v, %v", in[:min(used, len(in))], from, again, err)
		}
		if _, err := readProxyHeader(bytes.NewReader(append(bytes.Clone(in), tail...)[:used-1])); err == nil {
			t.Fatal("more was read than is needed")
		}
		if from.IsValid() && from.Addr() != from.Addr().Unmap() {
			t.Fatalf("%v is mapped", from)
		}
	})
}
