package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
)

// demoConfig is the bridge that the demo runs: the first configuration of the
// README, with a receiver on loopback.
const demoConfig = `hostname: mx.in.example
state: %q
listeners:
  - {address: "127.0.0.1:0", tls: {mode: none}}
delivery: {budget: 5s, ledger: 192h}
sinks:
  app: {type: webhook, url: "http://%s/inbound", secret: "%s"}
routes:
  - {name: tickets, recipient: "support+{ticket}@in.example", deliver: [app]}
  - {name: rest, recipient: "@in.example", deliver: [app]}
`

// runDemo shows the whole bridge at work, on loopback alone: it needs no network, no
// fixed port and no file, and leaves none behind.
func runDemo(ctx context.Context, t *terminal, args []string) int {
	f := newFlags(t, "demo")
	if _, status, ok := f.parse(args, 0, 0); !ok {
		return status
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	d := &demo{ctx: ctx, out: t.stdout}
	if err := d.run(); err != nil {
		return f.fail("%v", err)
	}
	return exitGood
}

// demo is one run.
type demo struct {
	ctx      context.Context
	out      io.Writer
	state    string // a temporary folder, removed at the end
	receiver *receiver
	sender   *demoSender
	bridge   *bridge.Bridge
}

func (d *demo) run() (err error) {
	if d.receiver, err = startReceiver(); err != nil {
		return err
	}
	defer d.receiver.stop()
	if d.sender, err = newDemoSender(); err != nil {
		return err
	}
	if d.state, err = os.MkdirTemp("", "mxhook-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.state)
	if err := d.startBridge(); err != nil {
		return err
	}
	defer d.bridge.Stop(d.ctx)
	for _, step := range []func() error{d.delivered, d.receiverDown, d.receiverUp, d.resent} {
		if err := step(); err != nil {
			return err
		}
	}
	d.title("That was all.")
	d.say("Next: `mxhook serve --to URL`, or the configuration in README.md.")
	return nil
}

func (d *demo) startBridge() error {
	text := fmt.Sprintf(demoConfig, d.state, d.receiver.addr(), d.receiver.secret)
	c, problems := config.Parse("demo.yaml", []byte(text), func(string) (string, bool) { return "", false })
	for _, p := range problems {
		if !p.Warning {
			return fmt.Errorf("%s", p)
		}
	}
	c.Limits.DiskReserve = 0 // what the demo writes is small, and gone at its end
	d.title("The configuration")
	d.say(strings.ReplaceAll(strings.TrimSpace(text), d.receiver.secret, "whsec_…"))
	b, err := bridge.New(c, bridge.Options{Log: slog.New(slog.DiscardHandler), Resolver: d.sender.zone, Version: "demo"})
	if err != nil {
		return err
	}
	if err := b.Start(); err != nil {
		return err
	}
	d.bridge = b
	return nil
}

func (d *demo) title(s string) { fmt.Fprintf(d.out, "\n── %s\n\n", s) }
func (d *demo) say(s string)   { fmt.Fprintln(d.out, s) }

// post sends a message from the demo's sender and returns the last reply.
func (d *demo) post(message []byte) (string, error) {
	m := mailing{
		server: d.bridge.Addrs()[0].String(), helo: demoHELO, from: demoAuthor,
		rcpts: []string{"support+42@in.example"}, dialogue: d.out,
	}
	reply, err := m.send(d.ctx, bytes.NewReader(message))
	if refused, isReply := replyOf(err); isReply {
		return refused, nil
	}
	return reply, err
}

func (d *demo) delivered() error {
	d.title("A signed message with an attachment arrives over SMTP")
	message, err := d.sender.message("Invoice 2026-042", "<1@sender.example>")
	if err != nil {
		return err
	}
	reply, err := d.post(message)
	if err != nil {
		return err
	}
	r := d.receiver.last()
	if r == nil || !strings.HasPrefix(reply, "250 ") {
		return fmt.Errorf("the message was not delivered: %s", reply)
	}
	d.title("Before that 250, the receiver had this request and said 200")
	d.say(r.head())
	var indented bytes.Buffer
	if err := json.Indent(&indented, r.body, "", "  "); err != nil {
		return fmt.Errorf("the payload is no JSON: %w", err)
	}
	d.say(indented.String())
	d.title("What the receiver can know from it")
	return d.checkRequest(r)
}

// checkRequest does what a receiver should: verify the signature, then believe the
// verdict.
func (d *demo) checkRequest(r *request) error {
	if !r.signed(d.receiver.key) {
		return fmt.Errorf("the signature of the request is wrong")
	}
	var p struct {
		Authentication struct {
			SPF          struct{ Result string } `json:"spf"`
			DMARC        struct{ Result string } `json:"dmarc"`
			DKIM         []struct{ Result string }
			FromVerified bool   `json:"from_verified"`
			By           string `json:"from_verified_by"`
		}
	}
	if err := json.Unmarshal(r.body, &p); err != nil {
		return err
	}
	a := p.Authentication
	if !a.FromVerified || len(a.DKIM) == 0 {
		return fmt.Errorf("the author could not be verified: %+v", a)
	}
	d.say("the signature is right: the request comes from this bridge and is unchanged")
	fmt.Fprintf(d.out, "spf=%s dkim=%s dmarc=%s: from_verified is true (by %s), so sender.example did send it\n",
		a.SPF.Result, a.DKIM[0].Result, a.DMARC.Result, a.By)
	return nil
}

func (d *demo) receiverDown() error {
	d.title("The receiver goes down: the sender hears 451 and keeps the message")
	d.receiver.setDown(true)
	message, err := d.sender.message("While you were out", "<2@sender.example>")
	if err != nil {
		return err
	}
	d.sender.kept = message
	reply, err := d.post(message)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(reply, "451 ") {
		return fmt.Errorf("the receiver is down, but the reply was %s", reply)
	}
	return nil
}

func (d *demo) receiverUp() error {
	d.title("The receiver is up again, and the sender tries once more, as mail servers do")
	d.receiver.setDown(false)
	before := d.receiver.count()
	reply, err := d.post(d.sender.kept)
	if err != nil {
		return err
	}
	if n := d.receiver.count() - before; n != 1 || !strings.HasPrefix(reply, "250 ") {
		return fmt.Errorf("%d deliveries instead of 1, reply %s", n, reply)
	}
	d.title("Delivered once")
	d.say("webhook-id: " + d.receiver.last().header.Get("webhook-id"))
	return nil
}

func (d *demo) resent() error {
	d.title("The sender did not hear that 250, and sends the message again: it is known, and not delivered twice")
	before := d.receiver.count()
	reply, err := d.post(d.sender.kept)
	if err != nil {
		return err
	}
	if n := d.receiver.count() - before; n != 0 || !strings.HasPrefix(reply, "250 2.0.0 already delivered as ") {
		return fmt.Errorf("%d more deliveries, reply %s", n, reply)
	}
	return nil
}

// listenLoopback listens on a port that the system chooses.
func listenLoopback() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
