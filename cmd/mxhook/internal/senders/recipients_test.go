package senders

import (
	"fmt"
	"strings"
	"testing"
)

// Postfix hears 452 4.5.3 for all recipients beyond the hundredth and sends them the
// message in another transaction, without a bounce.
func TestPostfixDeliversToAHundredAndFiftyRecipients(t *testing.T) {
	t.Parallel()
	var s sender
	for _, known := range senders(t) {
		if known.name == "postfix" {
			s = known
		}
	}
	a := startApp(t, 0)
	bridge := startBridge(t, a, false, "limits: {recipients: 100}")
	port := portOf(t, bridge)
	r := s.open(t, port, false)
	// Postfix itself would take 50 at a time.
	if out, err := r.run(t, "postconf -e smtp_destination_recipient_limit=1000 && postfix reload", ""); err != nil {
		t.Fatal(err, out)
	}
	want := map[string]bool{}
	var all []string
	for i := range 150 {
		address := fmt.Sprintf("r%d@in.example", i)
		want[address] = true
		all = append(all, address)
	}
	m := message("many", ann, to, "", "Hello\r\n")
	if out, err := r.run(t, `sendmail -i -f "$FROM" `+strings.Join(all, " "), strings.ReplaceAll(m.text, "\r\n", "\n"), "FROM="+ann); err != nil {
		t.Fatal(err, out)
	}
	s.awaitEmpty(t, r, a, port, func() bool {
		return strings.Count(strings.Join(a.copies("many"), ""), "\r\nX-Original-To: ") >= 150
	})
	var sizes []int
	for _, copied := range a.copies("many") {
		header, _, _ := strings.Cut(copied, "\r\nReceived-SPF:")
		n := 0
		for line := range strings.SplitSeq(header, "\r\n") {
			if address, ok := strings.CutPrefix(line, "X-Original-To: "); ok {
				if !want[address] {
					t.Errorf("%s had the message twice, or never wanted it", address)
				}
				delete(want, address)
				n++
			}
		}
		sizes = append(sizes, n)
	}
	if len(want) > 0 {
		t.Errorf("%d recipients had nothing", len(want))
	}
	if fmt.Sprint(sizes) != "[100 50]" {
		t.Errorf("the transactions had %v recipients, want 100 and then 50", sizes)
	}
}
