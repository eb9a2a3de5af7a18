package smtpd

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The times of these tests are 100 times shorter than the defaults, and so are the
// clients': one octet in 100 ms stands for one in 10 s, 3 s for 5 minutes.
const (
	dribble   = 100 * time.Millisecond
	shortTime = 3 * time.Second
)

// dribbled is what a slow client says in one go, and then one octet at a time.
var dribbled = []struct{ name, at, by string }{
	{"greeting", "", strings.Repeat("E", 200)},
	{"command", "EHLO a.test\r\n", "NOOP " + strings.Repeat("x", 200)},
	{"data", opening, strings.Repeat("x", 200)},
	{"chunk", strings.Replace(opening, "DATA", "BDAT 1000 LAST", 1), strings.Repeat("x", 200)},
	{"TLS handshake", "EHLO a.test\r\nSTARTTLS\r\n", "\x16\x03\x01\x00\xff\x01\x00\x00\xfb\x03\x03" + strings.Repeat("x", 200)},
	{"PROXY header", "", "PROXY TCP4 192.0.2.1 192.0.2.2 " + strings.Repeat("1", 200)},
}

// TestAThousandSlowClientsAndAHarvester holds a server busy with 1000 clients that send
// one octet at a time, and with one that tries 5000 recipients. All slow ones are gone
// within their time, the harvester is cut off after 20 errors in each session, memory
// doesn't grow, and other clients notice nothing.
func TestAThousandSlowClientsAndAHarvester(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const clients = 1000
	r := start(t, func(c *Config) {
		c.Limits = Limits{Connections: 2 * clients, ConnectionsPerIP: 2 * clients, CommandTime: shortTime, TransactionTime: shortTime}
	})
	behind := start(t, func(c *Config) {
		c.Limits = Limits{Connections: clients, ConnectionsPerIP: clients, CommandTime: shortTime}
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	r.dial().hello().startTLS().envelope().want("DATA", "354").want("x\r\n.", "250") // what is made once is made
	idle := memory()

	began := time.Now()
	var slow sync.WaitGroup
	ended := make(chan string, clients)
	for i := range clients {
		way := dribbled[i%len(dribbled)]
		server := r
		if way.name == "PROXY header" {
			server = behind
		}
		nc, err := net.Dial("tcp", server.addr)
		if err != nil {
			t.Fatal(err)
		}
		slow.Go(func() { ended <- way.name + ": " + dribbleInto(nc, way.at, way.by) })
	}
	done := make(chan struct{})
	var others sync.WaitGroup
	var times []time.Duration
	others.Go(func() { times = r.goodClient(done) })
	tried := 0
	others.Go(func() { tried = r.harvest(5000) })

	clock := time.NewTimer(shortTime / 3)
	<-clock.C
	early := memory()
	clock.Reset(shortTime / 3)
	<-clock.C
	late := memory()
	slow.Wait()
	took := time.Since(began)
	close(done)
	others.Wait()
	close(ended)

	for end := range ended {
		silent := strings.HasPrefix(end, "TLS handshake: 220 2.0.0") || end == "PROXY header: "
		if !silent && !strings.HasSuffix(end, "421 4.4.2 timed out") {
			t.Errorf("a slow client heard last: %s", end)
		}
	}
	if took > 3*shortTime*slower {
		t.Errorf("the slow clients were gone after %v", took)
	}
	if tried != 5000 {
		t.Errorf("the harvester tried %d recipients", tried)
	}
	slices.Sort(times)
	if len(times) < 10 || times[len(times)*99/100] > time.Second*slower {
		t.Errorf("%d good transactions, the slowest took %v", len(times), times[max(0, len(times)-1)])
	}
	if each := (early - idle) / clients; each > 200<<10 {
		t.Errorf("a slow connection costs %d octets on both sides", each)
	}
	if late > early+early/4 {
		t.Errorf("memory grew from %d to %d octets", early, late)
	}
	t.Logf("gone after %v; %d good transactions, median %v, 99th percentile %v; memory idle %d, %d, %d KiB, after %d KiB",
		took, len(times), times[len(times)/2], times[len(times)*99/100], idle>>10, early>>10, late>>10, memory()>>10)
}

// outOfFiles is a listener whose Accept fails like one of a process without descriptors.
type outOfFiles struct {
	*pipeListener
	asked atomic.Int32
}

func (l *outOfFiles) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
		l.asked.Add(1)
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
}

func TestAcceptWithoutDescriptorsDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Hostname: "mx.test"})
		ln := &outOfFiles{pipeListener: newPipeListener()}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		time.Sleep(10 * time.Second)
		if n := ln.asked.Load(); n < 90 || n > 110 {
			t.Errorf("Accept was tried %d times in 10 seconds", n)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// memory returns the octets of heap and stacks that are in use.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// dribbleInto sends at, then by one octet at a time until the server hangs up, and
// returns the last line that it said.
func dribbleInto(nc net.Conn, at, by string) string {
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(nc, at)
	said := make(chan string)
	go func() {
		b, _ := io.ReadAll(nc)
		lines := strings.Split(strings.TrimSpace(string(b)), "\r\n")
		said <- lines[len(lines)-1]
	}()
	clock := time.NewTicker(dribble)
	defer clock.Stop()
	for i := 0; ; i++ {
		select {
		case last := <-said:
			return last
		case <-clock.C:
			if i < len(by) {
				io.WriteString(nc, by[i:i+1])
			}
		}
	}
}

// goodClient makes transactions, each in a session of its own, and returns how long
// each took.
func (r *running) goodClient(done <-chan struct{}) (times []time.Duration) {
	for n := 0; ; n++ {
		select {
		case <-done:
			return times
		default:
		}
		began := time.Now()
		c := r.dial().hello()
		if n%2 == 1 {
			c.startTLS()
		}
		c.envelope().want("DATA", "354").want("x\r\n.", "250").want("QUIT", "221")
		c.nc.Close()
		times = append(times, time.Since(began))
	}
}

// harvest tries n unknown recipients, in as many sessions as it needs, and returns how
// many were refused one by one.
func (r *running) harvest(n int) (tried int) {
	for tried < n {
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			r.t.Error(err)
			return tried
		}
		nc.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprint(nc, "EHLO a.test\r\nMAIL FROM:<>\r\n"+strings.Repeat("RCPT TO:<unknown@mx.test>\r\n", min(500, n-tried)))
		b, _ := io.ReadAll(nc)
		nc.Close()
		refused := strings.Count(string(b), "550 5.1.1")
		if cut := strings.Count(string(b), "421 4.7.0 too many errors"); refused > 20 || refused < min(20, n-tried) && cut != 1 {
			r.t.Errorf("the harvester heard %d refusals and then %d times 421", refused, cut)
			return tried
		}
		tried += refused
	}
	return tried
}
