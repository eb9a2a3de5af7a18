package sqs_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// patience is how long a program has to answer.
const patience = time.Minute

// need ends a test whose program is not there: it skips, or fails where
// MXHOOK_INTEROP=require says that all must be there.
func need(t testing.TB, what string, probe ...string) {
	t.Helper()
	out, err := exec.Command(probe[0], probe[1:]...).CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("MXHOOK_INTEROP") == "require":
		t.Fatalf("%s: not installed, and MXHOOK_INTEROP=require: %v\n%s", what, err, out)
	default:
		t.Skipf("%s: not installed", what)
	}
}

// program runs with a pipe on both sides, and ends with its standard input.
type program struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

func startProgram(t testing.TB, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(args[0], args[1:]...), lines: make(chan string, 10)}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			p.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	t.Cleanup(p.stop)
	return p
}

// line waits for a line of the program.
func (p *program) line() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatal("the program has ended")
		}
		return line
	case <-time.After(patience):
		p.t.Fatal("the program says nothing")
	}
	return ""
}

// stop kills the program, in the middle of whatever it does.
func (p *program) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	p.cmd.Process.Kill()
	for range p.lines { // its end, before Wait closes the pipe
	}
	p.cmd.Wait()
}

// boto is Debian's boto3, which knows nothing of mxhook.
type boto struct{ *program }

func startBoto(t testing.TB) boto {
	need(t, "python3 with boto3", "python3", "-c", "import boto3")
	return boto{startProgram(t, "python3", "testdata/emulators/read.py")}
}

func (b boto) ask(question map[string]any, answer any) {
	b.t.Helper()
	line, err := json.Marshal(question)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(line, '\n')); err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.line()), answer); err != nil {
		b.t.Fatal(err)
	}
}

// emulator is one of the servers of testdata/emulators.
type emulator struct {
	*program
	name, address string
	// queueHost is what the server puts before its address in the URL of a queue.
	queueHost, account string
	queues             []string
}

func (e *emulator) start(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(e.address)
	if err != nil {
		t.Fatal(err)
	}
	e.program = startProgram(t, append([]string{"node", "testdata/emulators/serve.js", e.name, port}, e.queues...)...)
	if line := e.line(); line != "ready" {
		t.Fatal(line)
	}
}

func (e *emulator) url() string { return "http://" + e.address }

func (e *emulator) queue(name string) string {
	return "http://" + e.queueHost + e.address + "/" + e.account + "/" + name
}
