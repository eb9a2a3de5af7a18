package dns

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// upstreamProgram starts a resolver program in front of a server of ours, and gives its address.
func upstreamProgram(t *testing.T, program string, arguments func(port, upstream string) []string, upstream string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	command := exec.Command(path, arguments(port, upstream)...)
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	r := New(Config{Servers: []string{addr}, Timeout: 200 * time.Millisecond})
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := r.LookupTXT(context.Background(), "ready.example")
		if err == nil {
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", program, err)
		}
	}
}

// Resolvers that people run, between us and an authority.
func TestResolversThatPeopleRun(t *testing.T) {
	long := strings.Repeat(` "`+strings.Repeat("0123456789", 25)+`"`, 40)
	zone := mustZone(t, `
ready.example TXT "x"
a.example TXT "v=spf1 -all"
a.example MX 10 mx.a.example.
a.example A 198.18.0.1
a.example AAAA 2001:db8::1
one.example CNAME two.example.
two.example CNAME a.example.
long.example TXT`+long+`
1.0.18.198.in-addr.arpa. PTR a.example.
below.ent.example A 198.18.0.2
`)
	zone.ServFail("broken.example")
	upstream := serve(t, zone)
	for program, arguments := range map[string]func(port, upstream string) []string{
		"unbound": func(port, upstream string) []string {
			file := filepath.Join(t.TempDir(), "unbound.conf")
			text := fmt.Sprintf(`server:
  interface: 127.0.0.1@%s
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: %q
  pidfile: ""
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "18.198.in-addr.arpa." nodefault
forward-zone:
  name: "."
  forward-addr: %s
remote-control:
  control-enable: no
`, port, filepath.Dir(file), strings.Replace(upstream, ":", "@", 1))
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"-d", "-c", file}
		},
		"dnsmasq": func(port, upstream string) []string {
			return []string{"--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file=", "--listen-address=127.0.0.1",
				"--bind-interfaces", "--port=" + port, "--server=" + strings.Replace(upstream, ":", "#", 1), "--log-facility=-"}
		},
	} {
		t.Run(program, func(t *testing.T) {
			r := New(Config{Servers: []string{upstreamProgram(t, program, arguments, upstream)}})
			ctx := context.Background()
			for range 2 { // the second time from the caches
				if v, err := r.LookupTXT(ctx, "a.example"); err != nil || v[0] != "v=spf1 -all" {
					t.Errorf("a text: %q, %v", v, err)
				}
				if v, err := r.LookupTXT(ctx, "one.example"); err != nil || v[0] != "v=spf1 -all" {
					t.Errorf("over two aliases: %q, %v", v, err)
				}
				if v, err := r.LookupTXT(ctx, "long.example"); err != nil || len(v[0]) != 10_000 {
					t.Errorf("10 kB over TCP: %d, %v", len(v), err)
				}
				if v, err := r.LookupIPAddr(ctx, "a.example"); err != nil || len(v) != 2 {
					t.Errorf("addresses: %v, %v", v, err)
				}
				if v, err := r.LookupMX(ctx, "a.example"); err != nil || v[0].Host != "mx.a.example." {
					t.Errorf("exchangers: %v, %v", v, err)
				}
				if v, err := r.LookupAddr(ctx, "198.18.0.1"); err != nil || v[0] != "a.example." {
					t.Errorf("names: %v, %v", v, err)
				}
				if _, err := r.LookupTXT(ctx, "nowhere.example"); !IsNoDomain(err) {
					t.Errorf("NXDOMAIN: %v", err)
				}
				if _, err := r.LookupTXT(ctx, "ent.example"); !IsNotFound(err) || IsNoDomain(err) {
					t.Errorf("a name above others: %v", err)
				}
				if _, err := r.LookupTXT(ctx, "broken.example"); !IsTemporary(err) {
					t.Errorf("SERVFAIL: %v", err)
				}
			}
		})
	}
}
