package bridge

import (
	"strings"
	"testing"

	"mxhook/cmd/internal/recent"
	"mxhook/inbound/status"
	"mxhook/sinks"
)

const pageConfig = `
admin: {address: "127.0.0.1:0"}
`

// last returns the newest message that the page has.
func (w *world) last() recent.Message {
	w.t.Helper()
	list, _ := w.recent.List(recent.Query{Limit: 1})
	if len(list) == 0 {
		w.t.Fatal("the page has nothing")
	}
	m, _ := w.recent.Get(list[0].ID)
	return m
}

func TestThePageHasTheMessageItsVerdictsRouteAndAttempts(t *testing.T) {
	w := newWorld(t, pageConfig)
	defer w.stop()
	w.expect("reply", w.try("ESMTP", "ann@good.example", "box@in.example", mailOf("good.example")), takenReply)
	m := w.last()
	if m.Outcome != recent.Delivered || m.From != "<ann@good.example>" || m.Subject != "hello" || m.MessageID != "<1@good.example>" ||
		!m.Received || m.Size == 0 || m.RemoteIP != "192.0.2.1" || m.ReversePath != "ann@good.example" || !strings.HasPrefix(m.Reply, "250 2.0.0 OK msg_") {
		t.Errorf("%+v", m)
	}
	if v := m.Verdicts; !v.FromVerified || v.By != "spf" || v.DMARC.Result != "pass" || v.Reason != "DMARC passes for good.example by SPF" {
		t.Errorf("%+v", v)
	}
	if r := m.Recipients[0]; r.Address != "box@in.example" || len(r.Routes) != 1 || r.Routes[0].Why != "its pattern @in.example matches" || r.Routes[0].Then != "delivered to disk" {
		t.Errorf("%+v", r)
	}
	if x := m.Events[0]; x.Sink != "disk" || x.State != recent.EventDelivered || len(x.Attempts) != 1 || x.Attempts[0].Class != status.Success || !strings.HasSuffix(m.Reply, x.ID) {
		t.Errorf("%+v", x)
	}
	w.expect("resend", w.try("ESMTP", "ann@good.example", "box@in.example", mailOf("good.example")), takenReply)
	if m := w.last(); len(m.Events) != 0 || len(m.Known) != 1 || m.Known[0] != (recent.Known{Sink: "disk", Units: 1}) {
		t.Errorf("a resend: %+v, %+v", m.Events, m.Known)
	}
}

func TestThePageHasRefusalsBeforeAndAfterTheData(t *testing.T) {
	w := newWorld(t, pageConfig)
	defer w.stop()
	w.expect("stranger", w.try("ESMTP", "ann@good.example", "box@else.example", ""), "RCPT 550 5.7.1 relaying denied")
	if m := w.last(); m.Outcome != recent.Refused || m.Received || m.Recipients[0].Address != "box@else.example" || !strings.HasPrefix(m.Recipients[0].Reply, "550 5.7.1") {
		t.Errorf("%+v", m)
	}
	w.expect("forged", w.try("ESMTP", "ann@list.example", "box@in.example", mailOf("good.example")), "550 5.7.1")
	if m := w.last(); m.Outcome != recent.Refused || !m.Received || !strings.Contains(m.Reason, "dmarc=fail") {
		t.Errorf("%+v", m)
	}
	w.expect("open", w.try("ESMTP", "ann@sick.example", "box@in.example", mailOf("sick.example")), openReply)
	if m := w.last(); m.Outcome != recent.Deferred || m.Condition == "" {
		t.Errorf("%+v", m)
	}
}

func TestThePageSaysWhichConditionPassedARouteOver(t *testing.T) {
	w := newWorld(t, pageConfig+`
`)
	w.stop()
	w.yaml = strings.Replace(w.yaml, `routes: [{recipient`, `routes: [{name: first, recipient: "{box}@in.example", when: {subject: "*invoice*"}, deliver: [disk]}, {recipient`, 1)
	w.start()
	defer w.stop()
	w.expect("reply", w.try("ESMTP", "ann@good.example", "box@in.example", mailOf("good.example")), takenReply)
	r := w.last().Recipients[0]
	if len(r.Passed) != 1 || !strings.Contains(r.Passed[0], `route first wants that the subject`) || r.Routes[0].Route != "2" {
		t.Errorf("%+v", r)
	}
	w.expect("reply", w.try("ESMTP", "ann@good.example", "box@in.example", strings.Replace(mailOf("good.example"), "hello", "an invoice", 1)), takenReply)
	if r := w.last().Recipients[0]; r.Passed != nil || !strings.Contains(r.Routes[0].Why, `box="box"; the subject`) {
		t.Errorf("%+v", r)
	}
}

func TestThePageFollowsAnEventThroughTheSpool(t *testing.T) {
	w := newWorld(t, pageConfig)
	w.stop()
	w.yaml = strings.Replace(w.yaml, `deliver: [disk]}`, `deliver: [disk], mode: spool}`, 1)
	w.start()
	defer w.stop()
	w.expect("reply", w.try("ESMTP", "ann@good.example", "box@in.example", mailOf("good.example")), takenReply)
	m := w.last()
	if m.Outcome != recent.Waiting || !m.Events[0].Spooled {
		t.Fatalf("%+v", m)
	}
	if err := w.spool.Drop([]string{m.Events[0].ID + ".disk"}); err != nil {
		t.Fatal(err)
	}
	if x := w.last().Events[0]; x.State != recent.EventDropped {
		t.Errorf("%+v", x)
	}
}

func TestNoPageNoRecord(t *testing.T) {
	w := newWorld(t, "")
	defer w.stop()
	w.expect("reply", w.try("ESMTP", "ann@good.example", "box@in.example", mailOf("good.example")), takenReply)
	if w.recent != nil {
		t.Error("there is a store though nobody can see it")
	}
	w.observer().Attempt(sinks.Attempt{Sink: "disk", Condition: status.Delivered})
}
