package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mxhook/sinks/sqs/sqstest"
)

// listenerConfig is that of a listener of a fleet: no ledger, no spool, a queue as its only
// sink.
const listenerConfig = `
hostname: mx.in.example
state: %q
log: {format: json}
limits: {disk_reserve: 0}
verify: {resolver: ["127.0.0.1:1"], timeout: 1s}
delivery: {ledger: 0, budget: 10s}
listeners: [{address: "127.0.0.1:0", tls: {mode: none}, proxy_protocol: ["127.0.0.1/32"]}]
sinks:
  jobs: {type: sqs, queue_url: %q, region: eu-central-1, endpoint: %q, access_key_id: test, secret_access_key: test, max_size: 24KiB, overflow: archive, circuit: {failures: 5, open: 200ms}}
  archive: {type: s3, bucket: mail-archive, region: eu-central-1, endpoint: %q, path_style: true, access_key_id: test, secret_access_key: testtest}
routes:
  - {name: all, recipient: "{who}@in.example", deliver: [jobs]}
`

// workerConfig is that of a worker, which has a ledger of its own.
const workerConfig = `
hostname: worker.in.example
state: %q
log: {format: json}
limits: {disk_reserve: 0}
delivery: {ledger: 1h, budget: 10s}
sinks:
  app: {type: webhook, url: %q, timeout: 2s, concurrency: 32, circuit: {failures: 5, open: 200ms}, headers: {X-Process: "${MXHOOK_TEST_PROCESS:-}"}}
  archive: {type: s3, bucket: mail-archive, region: eu-central-1, endpoint: %q, path_style: true, access_key_id: test, secret_access_key: testtest}
sources:
  - {name: jobs, type: sqs, queue_url: %q, region: eu-central-1, endpoint: %q, access_key_id: test, secret_access_key: test, deliver: [app], concurrency: 32, visibility_timeout: 10s, wait: 5s}
`

// fleetSize is how many messages the fleet gets: few on a user's machine and under the race
// detector; MXHOOK_TEST_FLEET says another number.
func fleetSize(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("MXHOOK_TEST_FLEET")); err == nil {
		return n
	}
	switch {
	case raceDetector || testing.Short():
		return 400
	case thorough():
		return 20_000
	}
	return 1500
}

// fleet is listeners and workers about a queue, and an application behind them.
type fleet struct {
	t       *testing.T
	queue   *sqstest.Server
	proxy   *proxy // before the queue: the emulator has nothing left when it is started again
	bucket  string // URL of the S3 server
	app     *keeper
	dir     string
	members map[string]*process
	runs    int
}

func newFleet(t *testing.T) *fleet {
	f := &fleet{t: t, queue: sqstest.Start(t, "../../sinks/sqs/testdata/emulators/serve.js", "fauxqs"), app: startKeeper(t), dir: t.TempDir(), members: map[string]*process{}}
	f.proxy = startProxy(t, f.queue.Address)
	f.queue.Create(t, "jobs", 20, nil)
	f.bucket = startS3(t, "http://"+f.queue.Address)
	return f
}

// start starts a member, or starts it again after a kill, with the state that it had.
func (f *fleet) start(name string) *process {
	f.t.Helper()
	state := filepath.Join(f.dir, name)
	endpoint, queue := "http://"+f.proxy.address, f.queue.URLs["jobs"]
	text := fmt.Sprintf(listenerConfig, state, queue, endpoint, f.bucket)
	if strings.HasPrefix(name, "worker") {
		text = fmt.Sprintf(workerConfig, state, f.app.URL+"/{who}", f.bucket, queue, endpoint)
	}
	file := state + ".yaml"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.runs++
	p := startMember(f.t, file, fmt.Sprint("MXHOOK_TEST_PROCESS=", f.runs))
	if strings.HasPrefix(name, "worker") {
		p.await(f.t, "taking messages")
	} else {
		p.smtp = p.await(f.t, "listening")["address"].(string)
	}
	f.members[name] = p
	return p
}

func (f *fleet) kill(name string) {
	f.t.Helper()
	f.members[name].cmd.Process.Kill()
	f.members[name].exited(f.t)
}

// TestTheFleetLosesNothing: three listeners without state put mail into a queue, two workers
// bring it to an application that fails in all ways. A listener and a worker are killed in
// the middle, and the queue can't be reached for a while. What a sender heard 250 for
// arrives, and what arrives twice has the same id.
func TestTheFleetLosesNothing(t *testing.T) {
	t.Parallel()
	size := fleetSize(t)
	f := newFleet(t)
	rng := seeded(t)
	f.app.be(flakiness(rng, 20))
	listeners := []string{"listener-a", "listener-b", "listener-c"}
	s := newFleetSender(t, size)
	for _, l := range listeners {
		s.serve(l, f.start(l).smtp)
	}
	f.start("worker-a")
	f.start("worker-b")
	began := time.Now()
	s.run(12)

	s.await(size / 4)
	f.kill("listener-b")
	f.kill("worker-a")
	s.await(size / 3)
	s.serve("listener-b", f.start("listener-b").smtp)
	f.start("worker-a")
	s.await(size / 2)
	f.proxy.cut()
	s.awaitDeferrals(20)
	f.proxy.mend()
	s.await(size)
	sent := time.Since(began)

	promised := s.promised()
	for _, name := range promised {
		f.app.await(t, "the arrival of "+name, func() bool { return len(f.app.of(name, recipientOf(name))) > 0 })
	}
	took := time.Since(began)
	f.app.be(nil)
	f.queue.Await(t, "jobs", 0)
	repeats := f.judge()
	if dead := f.queue.Len(t, "jobs-dead"); dead != 0 {
		t.Errorf("%d dead letters", dead)
	}
	t.Logf("%d messages promised in %d tries, sent in %s, all there after %s; 0 missing, %d repeated under the same id", len(promised), s.tried(), sent.Round(time.Millisecond), took.Round(time.Millisecond), repeats)
	for _, name := range append(listeners, "worker-a", "worker-b") {
		p := f.members[name]
		p.signal(t, os.Interrupt)
		if err := p.exited(t); err != nil {
			t.Errorf("%s: %v\n%s", name, err, p.log.tail())
		}
	}
	f.stateless(listeners)
}

// judge fails for what was kept under two ids, and for a repeat by the process that had
// heard the first yes. It returns how many repeats there were.
func (f *fleet) judge() (repeats int) {
	f.app.mu.Lock()
	defer f.app.mu.Unlock()
	for u, list := range f.app.taken {
		repeats += len(list) - 1
		for i, k := range list[1:] {
			if k.id != list[0].id {
				f.t.Errorf("%v came under the ids %s and %s", u, list[0].id, k.id)
			}
			if before := list[i]; before.heard && before.process == k.process {
				f.t.Errorf("%v was repeated by the worker that had heard the yes", u)
			}
		}
	}
	return repeats
}

// stateless fails for anything that a listener has left on its disk.
func (f *fleet) stateless(listeners []string) {
	for _, l := range listeners {
		filepath.WalkDir(filepath.Join(f.dir, l), func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasSuffix(path, "/lock") {
				f.t.Errorf("%s has left %s", l, strings.TrimPrefix(path, f.dir))
			}
			return err
		})
	}
}

func recipientOf(name string) string {
	return "app" + name[len(name)-1:] + "@in.example"
}

// startS3 starts versitygw with a bucket where it is installed, and returns its URL; else that
// of the emulator, which has one.
func startS3(t *testing.T, emulator string) string {
	binary, err := exec.LookPath("versitygw")
	if err != nil {
		return emulator
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "mail-archive"), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	cmd := exec.Command(binary, "--quiet", "--port", address, "--region", sqstest.Region, "posix", dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=test", "ROOT_SECRET_KEY=testtest")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for end := time.After(patience); ; {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address
		}
		select {
		case <-look.C:
		case <-end:
			t.Fatal("versitygw doesn't listen")
		}
	}
}
