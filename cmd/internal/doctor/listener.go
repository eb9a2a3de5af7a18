package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/control"
)

// listener checks one listener from this machine: who answers there, and how.
func (d *doctor) listener(ctx context.Context, f *findings, l config.Listener) {
	if name, inherited := strings.CutPrefix(l.Address, "systemd:"); inherited {
		f.add(Info, "listener", "a socket unit of systemd says where it listens, which is not looked at",
			"without that unit serve does not start", fmt.Sprintf("systemctl list-sockets; the unit has FileDescriptorName=%s, ListenStream=25 and no Accept=yes", name))
		return
	}
	d.placed(f, l)
	if l.Kind == "mx" && l.TLS.Mode == "none" {
		f.add(Warning, "starttls", "it has no TLS", "mail comes in clear, and senders that want TLS don't deliver",
			"tls: {cert_file: fullchain.pem, key_file: privkey.pem} in the listener")
	}
	conn, err := dialListener(ctx, l)
	if err != nil {
		d.nobody(f, l, err)
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	d.converse(f, l, conn)
}

// placed tells of a listener at which strangers don't arrive by themselves.
func (d *doctor) placed(f *findings, l config.Listener) {
	host, port, err := net.SplitHostPort(l.Address)
	if l.Kind != "mx" || err != nil {
		return
	}
	a, err := netip.ParseAddr(host)
	loopback := err == nil && a.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
	switch {
	case loopback:
		f.add(Info, "port_25", "it listens on loopback alone", "senders come to port 25 of the public address; something of yours must bring them here", "")
	case port != "25":
		f.add(Info, "port_25", "it listens at port "+port, "senders come to port 25 of the public address; a load balancer, a firewall or a container's port mapping must bring them here", "")
	default:
		at := d.Config.Hostname
		if !d.fullName() {
			at = "ADDRESS-OF-THIS-MACHINE"
		}
		f.add(Info, "port_25", "whether the internet reaches port 25 can't be seen from this machine", "many providers block it until you ask, and firewalls are easily forgotten",
			fmt.Sprintf("on a machine elsewhere: openssl s_client -connect %s:25 -starttls smtp -brief </dev/null", at))
	}
}

// dialListener connects to a listener, to loopback where it listens at all addresses,
// and sends the PROXY header that it wants from us.
func dialListener(ctx context.Context, l config.Listener) (net.Conn, error) {
	if path, isUnix := strings.CutPrefix(l.Address, "unix:"); isUnix {
		return dialer.DialContext(ctx, "unix", path)
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return nil, err
	}
	hosts := []string{host}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var conn net.Conn
	for _, h := range hosts {
		if conn, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(h, port)); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	local, ok := netip.AddrFromSlice(conn.LocalAddr().(*net.TCPAddr).IP)
	if ok && slices.ContainsFunc(l.Proxies, func(p netip.Prefix) bool { return p.Contains(local.Unmap()) }) {
		if _, err := conn.Write([]byte("PROXY UNKNOWN\r\n")); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// nobody says what it means that nobody listens: that serve does not run, and whether it
// could listen there; or that it runs with another configuration.
func (d *doctor) nobody(f *findings, l config.Listener, err error) {
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
		f.silent("listener", err, "whether mail can come in here is not known")
		return
	}
	if client, err := control.Dial(d.Config.State); err == nil {
		client.Close()
		f.add(Error, "listener", "nobody listens here, though mxhook serve runs with this state folder",
			"no mail comes in here", "it runs with another configuration: listeners change with a restart alone")
		return
	}
	if why, fix := d.cantListen(l); why != "" {
		f.add(Error, "listener", "mxhook serve is not running, and could not listen here: "+why, "serve would not start", fix)
		return
	}
	f.add(Warning, "listener", "nobody listens: mxhook serve is not running; it could listen here", "until it runs no mail comes in", "mxhook serve --config FILE")
}

// cantListen tries to listen, which ends at once, and says what is in the way.
func (d *doctor) cantListen(l config.Listener) (why, fix string) {
	if path, isUnix := strings.CutPrefix(l.Address, "unix:"); isUnix {
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return "the folder " + filepath.Dir(path) + " is not there", "mkdir -m 2750 " + filepath.Dir(path) + ", with mxhook's user as owner and the mail system's group"
		}
		return "", ""
	}
	ln, err := net.Listen("tcp", l.Address)
	if err == nil {
		ln.Close()
		return "", ""
	}
	program, exeErr := os.Executable()
	if exeErr != nil {
		program = "/usr/local/bin/mxhook"
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "a port below 1024 needs a permission", fmt.Sprintf("sudo setcap cap_net_bind_service=+ep %s\nor, in its systemd unit: AmbientCapabilities=CAP_NET_BIND_SERVICE\nor a socket unit of systemd and address: \"systemd:NAME\"", program)
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program has this port at another address of this machine", "ss -ltnp shows which; stop it, or listen at one address"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine does not have the address", "listen at \":25\", or at an address that `ip addr` shows"
	}
	return err.Error(), "see `ss -ltnp` and `ip addr`"
}

// converse speaks SMTP with who listens, up to where a message would begin.
func (d *doctor) converse(f *findings, l config.Listener, conn net.Conn) {
	c := newDialogue(conn)
	if l.TLS.Mode == "implicit" && !d.handshake(f, l, c) {
		return
	}
	greeting, err := c.reply()
	name := d.Config.Hostname
	switch {
	case err != nil:
		f.add(Error, "listener", "another program answers, or mxhook serve hangs: "+reason(err)+" where SMTP begins with a greeting", "no mail comes in here",
			"ss -ltnp shows which; stop it, or let mxhook listen elsewhere")
		return
	case greeting.code != 220:
		f.add(Error, "listener", "it turns us away: "+quoted(greeting.text), "it turns senders away too", "see the log of mxhook serve")
		return
	case !strings.Contains(greeting.text, "mxhook"):
		f.add(Error, "listener", "another program answers: "+quoted(greeting.text), "mail goes to it and not to mxhook", "ss -ltnp shows which; stop it, or let mxhook listen elsewhere")
		return
	case greeting.text != name && !strings.HasPrefix(greeting.text, name+" "):
		f.add(Error, "listener", fmt.Sprintf("it calls itself otherwise than %s: %s", name, quoted(greeting.text)),
			"mxhook serve runs with another configuration", "restart it: the hostname of a listener changes with a restart alone")
		return
	}
	hello, err := c.hello(l.Kind == "lmtp")
	if err != nil {
		f.silent("listener", err, "it greets and does not answer EHLO")
		return
	}
	f.ok("listener", "answers as %s", quoted(greeting.text))
	if l.TLS.Mode == "starttls" || l.TLS.Mode == "required" {
		if !hello.offers("STARTTLS") {
			f.add(Error, "starttls", "STARTTLS is not offered", "the configuration wants it; mail comes in clear or not at all", "mxhook serve runs with another configuration: restart it")
			return
		}
		if r, err := c.command("STARTTLS"); err != nil || r.code != 220 {
			f.add(Error, "starttls", "STARTTLS is refused: "+quoted(r.text), "mail comes in clear or not at all", "see the log of mxhook serve")
			return
		}
		if !d.handshake(f, l, c) {
			return
		}
		if _, err = c.hello(l.Kind == "lmtp"); err != nil {
			f.silent("relay", err, "after the TLS handshake it does not answer EHLO")
			return
		}
	}
	d.relay(f, l, c)
	c.command("QUIT")
}

// handshake begins TLS and compares the certificate with that of the files.
func (d *doctor) handshake(f *findings, l config.Listener, c *dialogue) bool {
	const name = "starttls"
	state, err := c.startTLS(&tls.Config{ServerName: d.Config.Hostname, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) // the certificate has its own check
	if err != nil {
		f.add(Error, name, "the TLS handshake fails: "+reason(err), "senders that want TLS don't deliver", "see the log of mxhook serve, and whether cert_file and key_file are what they should be")
		return false
	}
	leaf := state.PeerCertificates[0]
	same := slices.ContainsFunc(d.certificates, func(o *certificate) bool {
		return slices.Contains(l.TLS.Certificates, o.files) && o.err == nil && o.chain[0].Equal(leaf)
	})
	if !same {
		f.add(Warning, name, fmt.Sprintf("the certificate that is served, until %s, is not that of cert_file", leaf.NotAfter.UTC().Format(time.DateOnly)),
			"files that change are read again by themselves; the new ones could not be loaded, or mxhook serve runs with another configuration", "see its log, or restart it")
		return true
	}
	f.ok(name, "%s, with the certificate of cert_file", tls.VersionName(state.Version))
	return true
}
