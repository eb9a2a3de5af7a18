package delivery_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/delivery"
)

// observer is told of the outcomes of sinks.
type observer func(sink string)

func (observer) Attempt(sinks.Attempt) {}

func (o observer) Outcome(sink string, _ *status.Condition, _ time.Duration, _ bool) { o(sink) }

// TestARouteThatRefusesIsAUnitThatIsRefused wants the reply to be that of the table, the
// refused to be kept where the message is accepted, and no sink to be asked or counted.
func TestARouteThatRefusesIsAUnitThatIsRefused(t *testing.T) {
	conditions := status.ConditionsNotMet.Wrap("test", nil)
	moved := status.RouteRejects.WithReply("test", nil, status.Reply{Code: 552, Enhanced: [3]int{5, 3, 4}, Text: "too large"})
	later := status.RouteRejects.WithReply("test", nil, status.Reply{Code: 450, Enhanced: [3]int{4, 2, 1}, Text: "come again"})
	sink := accepts.sink("app")
	for _, c := range []struct {
		name string
		of   map[string]error // the outcome of a recipient; nil is one that is accepted
		want string
		kept string
	}{
		{"all are refused alike", map[string]error{"ann": conditions, "bob": conditions}, "550 5.7.1 refused by the recipient's conditions", ""},
		{"all by one reply of a route", map[string]error{"ann": moved}, "552 5.3.4 too large", ""},
		{"all, in several ways", map[string]error{"ann": moved, "bob": conditions}, "550 5.7.1", ""},
		{"one is refused", map[string]error{"ann": nil, "bob": conditions}, "250 2.0.0 OK msg_", "~conditions_not_met"},
		{"two are refused in two ways", map[string]error{"ann": nil, "bob": conditions, "eve": moved}, "250 2.0.0 OK msg_", "~conditions_not_met ~route_rejects"},
		{"one hears a 4xx", map[string]error{"ann": nil, "bob": later}, "451 4.3.0 partly delivered", ""},
		{"all hear the same 4xx", map[string]error{"ann": later, "bob": later}, "450 4.2.1 come again", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g graveyard
			var counted []string
			d := delivery.New(delivery.Config{Dead: g.bury, Observer: observer(func(sink string) { counted = append(counted, sink) })})
			m, to := mail("ann@in.example", "bob@in.example", "eve@in.example")
			var orders []delivery.Order
			for _, r := range to {
				if err, ok := c.of[r.Path.LocalPart]; ok {
					orders = append(orders, delivery.Order{Route: "r", Recipients: []sinks.Recipient{r}, Required: list(sink), Refused: err})
				}
			}
			got := d.Deliver(context.Background(), m, orders).Reply().String()
			slices.Sort(g.sinks)
			if !strings.HasPrefix(got, c.want) || strings.Join(g.sinks, " ") != c.kept {
				t.Errorf("%s, kept %v; want %s, %q", got, g.sinks, c.want, c.kept)
			}
			if len(counted) > 1 || len(counted) == 1 && counted[0] != "app" {
				t.Errorf("counted %v", counted)
			}
		})
	}
}

func TestEachRecipientHearsWhatItsRouteSays(t *testing.T) {
	l := openLMTP(t)
	orders := func(to func(string) []sinks.Recipient) []delivery.Order {
		return []delivery.Order{
			{Route: "one", Recipients: to("ann"), Required: list(accepts.sink("app")), Deduplicate: true},
			{Route: "one", Recipients: to("bob"), Refused: status.ConditionsNotMet.Wrap("test", nil), Deduplicate: true},
			{Route: "one", Recipients: to("eve"), Refused: status.VerdictUnavailable.Wrap("test", nil), Deduplicate: true},
		}
	}
	for range 2 { // what was told to its sender is neither kept nor remembered
		_, each, _ := l.try(t, orders)
		if !slices.Equal(each, []string{"250 2.0.0", "550 5.7.1", "250 2.0.0", "451 4.4.3"}) || len(l.tombs) > 0 {
			t.Errorf("each %v, kept %v", each, l.tombs)
		}
	}
}
