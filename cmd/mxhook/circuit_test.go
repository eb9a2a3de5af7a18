package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/config"
)

// circuitConfig has two sinks; %STUCK% is the circuit of the one whose health varies.
const circuitConfig = `
hostname: mx.in.example
admin: {address: "127.0.0.1:0"}
delivery: {budget: 20s}
listeners: [{address: "127.0.0.1:0", tls: {mode: none}}]
sinks:
  stuck: {type: webhook, url: "%URL%", attempts: 1, timeout: %TIME%, circuit: {failures: 2, open: %OPEN%}}
  good: {type: webhook, url: "%GOOD%", attempts: 1, circuit: {failures: 2, open: %GOODOPEN%}}
  disk: {type: dir, path: "%DIR%"}
routes:
  - {recipient: "both@in.example", deliver: [stuck, good]}
  - {recipient: "either@in.example", deliver: [good], continue: true}
  - {recipient: "either@in.example", deliver: [stuck]}
  - {recipient: "good@in.example", deliver: [good], optional: [stuck]}
  - {recipient: "hole@in.example", discard: true}
  - {recipient: "disk@in.example", deliver: [disk]}
  - {recipient: "@in.example", deliver: [stuck]}
`

// circuits is a bridge with two apps.
type circuits struct {
	*running
	stuck, good *app
	config      *strings.Replacer
	sent        int
}

func startCircuits(t *testing.T, timeout string) *circuits {
	c := &circuits{stuck: startApp(t), good: startApp(t)}
	c.config = strings.NewReplacer("%URL%", c.stuck.URL, "%GOOD%", c.good.URL, "%TIME%", timeout, "%DIR%", t.TempDir())
	c.running = startBridge(t, c.text("1h", "1h"))
	return c
}

func (c *circuits) text(open, goodOpen string) string {
	return strings.NewReplacer("%OPEN%", open, "%GOODOPEN%", goodOpen).Replace(c.config.Replace(circuitConfig))
}

// reload changes how long the circuits stay open.
func (c *circuits) reload(t *testing.T, open, goodOpen string) {
	t.Helper()
	parsed, problems := config.Parse("test.yaml", []byte(c.text(open, goodOpen)), func(string) (string, bool) { return "", false })
	if parsed == nil {
		t.Fatal(problems)
	}
	if err := c.Reload(parsed); err != nil {
		t.Fatal(err)
	}
}

// message returns one that was not sent before.
func (c *circuits) message() []byte {
	c.sent++
	return []byte(strings.Replace(smallMessage, "<hello@", fmt.Sprintf("<hello%d@", c.sent), 1))
}

// post sends a new message.
func (c *circuits) post(t *testing.T, rcpt, want string) {
	t.Helper()
	if got := c.send(t, "ann@sender.example", rcpt, c.message()); !strings.HasPrefix(got, want) {
		t.Fatalf("to %s: %q, want %q", rcpt, got, want)
	}
}

// open opens the circuit of an app's sink.
func (c *circuits) open(t *testing.T, a *app, rcpt string) {
	t.Helper()
	a.set(answering(503))
	for range 2 {
		c.post(t, rcpt, "451 4.4.5 ")
	}
	a.set(nil)
}

const (
	rcptStuck = "RCPT TO:<stuck@in.example>"
	taken     = "250 2.1.5 "
	deferred  = "451 4.4.1 destination not answering"
)

func (c *circuits) metric(t *testing.T, sink string, want int) {
	t.Helper()
	line := fmt.Sprintf("mxhook_sink_circuit{sink=%q} %d\n", sink, want)
	if text := metricsOf(t, c.running); !strings.Contains(text, line) {
		t.Errorf("%s is missing", line)
	}
}

func TestACircuitOpensAtRCPTForTheHungSinkAlone(t *testing.T) {
	c := startCircuits(t, "300ms")
	c.metric(t, "stuck", 0)
	if strings.Contains(metricsOf(t, c.running), `mxhook_sink_circuit{sink="disk"}`) {
		t.Error("a dir sink has a circuit")
	}
	c.stuck.set(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	c.post(t, "stuck@in.example", "451 4.4.1 ")
	c.metric(t, "stuck", 0)
	c.post(t, "stuck@in.example", "451 4.4.1 ")
	filled := time.Now()
	d := c.begin(t)
	d.say(t, rcptStuck, deferred)
	t.Logf("open %v after the reply that filled the count", time.Since(filled))
	if took := time.Since(filled); took > 2*time.Second {
		t.Errorf("open after %v", took)
	}
	c.metric(t, "stuck", 2)
	for rcpt, want := range map[string]string{
		"both": deferred, "postmaster": deferred, "either": taken, "hole": taken, "disk": taken,
	} {
		d.say(t, "RCPT TO:<"+rcpt+"@in.example>", want)
	}
	d.say(t, "RSET", "250 ")

	// A healthy recipient of the same message goes through, also where the sink is an
	// optional one.
	d.say(t, "MAIL FROM:<ann@sender.example>", "250 ")
	d.say(t, rcptStuck, deferred)
	d.say(t, "RCPT TO:<good@in.example>", taken)
	d.say(t, rcptStuck, deferred)
	d.say(t, "DATA", "354 ")
	w := d.DotWriter()
	w.Write(c.message())
	w.Close()
	if got := d.answer(t); !strings.HasPrefix(got, "250 2.0.0 OK msg_") {
		t.Error(got)
	}
	if p := c.good.next(t).document(t); len(p.Envelope.Recipients) != 1 || p.Envelope.Recipients[0].Address != "good@in.example" {
		t.Errorf("the healthy sink got %+v", p.Envelope)
	}
}

func TestAReloadKeepsAnOpenCircuitOpen(t *testing.T) {
	c := startCircuits(t, "20s")
	c.open(t, c.stuck, "stuck@in.example")
	c.reload(t, "30m", "1h")
	c.begin(t).say(t, rcptStuck, deferred)
	c.metric(t, "stuck", 2)
	c.reload(t, "10ms", "1h")
	d := c.begin(t)
	d.patiently(t, rcptStuck, taken, patience)
	c.metric(t, "stuck", 1)
	d.say(t, "DATA", "354 ")
	w := d.DotWriter()
	w.Write(c.message())
	w.Close()
	if got := d.answer(t); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	c.metric(t, "stuck", 0)
	c.stuck.next(t)
}

func TestAProbeThatLeavesDoesNotHoldTheCircuit(t *testing.T) {
	leave := map[string]func(t *testing.T, d dialogue){
		"RSET": func(t *testing.T, d dialogue) { d.say(t, "RSET", "250 ") },
		"EHLO": func(t *testing.T, d dialogue) { d.say(t, "EHLO mail.sender.example", "250 ") },
		"QUIT": func(t *testing.T, d dialogue) { d.say(t, "QUIT", "221 ") },
		"gone": func(_ *testing.T, d dialogue) { d.Close() },
		"gone within DATA": func(t *testing.T, d dialogue) {
			d.say(t, "DATA", "354 ")
			d.PrintfLine("Subject: half")
			d.Close()
		},
	}
	for name, how := range leave {
		t.Run(name, func(t *testing.T) {
			c := startCircuits(t, "20s")
			c.open(t, c.stuck, "stuck@in.example")
			c.reload(t, "10ms", "1h")
			first, second := c.begin(t), c.begin(t)
			first.patiently(t, rcptStuck, taken, patience)
			first.say(t, rcptStuck, taken)
			first.say(t, "RCPT TO:<other@in.example>", taken)
			second.say(t, rcptStuck, deferred)
			how(t, first)
			second.patiently(t, rcptStuck, taken, 9*time.Second) // before the lease would end by itself
		})
	}
}

func TestALeaseIsNotTakenForARecipientThatIsRefused(t *testing.T) {
	c := startCircuits(t, "20s")
	c.open(t, c.stuck, "stuck@in.example")
	c.open(t, c.good, "good@in.example")
	c.reload(t, "10ms", "1h")
	d := c.begin(t)
	d.patiently(t, rcptStuck, taken, patience)
	d.say(t, "RSET", "250 ")
	d.say(t, "MAIL FROM:<ann@sender.example>", "250 ")
	d.say(t, "RCPT TO:<both@in.example>", deferred)
	c.begin(t).say(t, rcptStuck, taken) // while the first session is still there
}

// TestACircuitClosesWithin15SecondsThoughProbesHang has a sink that hangs for longer
// than that, and a sender that tries again and again.
func TestACircuitClosesWithin15SecondsThoughProbesHang(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	c := startCircuits(t, "25s")
	c.open(t, c.stuck, "stuck@in.example")
	hung, release := make(chan struct{}, 10), make(chan struct{})
	defer close(release)
	c.stuck.set(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		hung <- struct{}{}
		<-release
	})
	c.reload(t, "10ms", "1h")
	probe := c.begin(t)
	probe.patiently(t, rcptStuck, taken, patience)
	probe.say(t, "DATA", "354 ")
	w := probe.DotWriter()
	w.Write(c.message())
	w.Close()
	<-hung
	recovered := time.Now()
	c.stuck.set(nil)
	d := c.begin(t)
	d.say(t, rcptStuck, deferred)
	d.patiently(t, rcptStuck, taken, 15*time.Second)
	d.say(t, "DATA", "354 ")
	w = d.DotWriter()
	w.Write(c.message())
	w.Close()
	if got := d.answer(t); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	c.metric(t, "stuck", 0)
	t.Logf("closed %v after recovery", time.Since(recovered))
	if took := time.Since(recovered); took > 15*time.Second {
		t.Errorf("closed after %v", took)
	}
}
