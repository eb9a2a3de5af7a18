package formats_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
)

// many is a message with n small files of one name and of one content id.
func many(n int) []byte {
	var b strings.Builder
	b.WriteString("From: ann@sender.example\r\nTo: support+42@in.example\r\nSubject: many\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nHello\r\n")
	for i := range n {
		fmt.Fprintf(&b, "--x\r\nContent-Type: image/png; name=a.png\r\nContent-Disposition: attachment; filename=a.png\r\nContent-ID: <%d@x>\r\n\r\nfile %d\r\n", i/2, i)
	}
	b.WriteString("--x--\r\n")
	return []byte(b.String())
}

// TestAThousandAttachments: nine hundred and more are in every format, each by itself.
func TestAThousandAttachments(t *testing.T) {
	const n = 990 // the parser takes a thousand parts
	e := payloadtest.Event(t, many(n))
	if len(e.Message.Attachments) != n {
		t.Fatalf("%d attachments", len(e.Message.Attachments))
	}
	counts := map[string]func(p []byte, r payload.Request) int{
		"postmark":    func(p []byte, _ payload.Request) int { return elements(t, p, "Attachments") },
		"cloudmailin": func(p []byte, _ payload.Request) int { return elements(t, p, "attachments") },
		"mandrill": func(p []byte, r payload.Request) int {
			var events []struct {
				Msg struct{ Images, Attachments map[string]any }
			}
			if err := json.Unmarshal([]byte(payloadtest.Form(t, r, p).Get("mandrill_events")), &events); err != nil {
				t.Fatal(err)
			}
			return len(events[0].Msg.Images) + len(events[0].Msg.Attachments)
		},
	}
	for _, name := range []string{"sendgrid", "mailgun", "cloudmailin-multipart"} {
		counts[name] = func(p []byte, r payload.Request) int { return len(payloadtest.Form(t, r, p).Files) }
	}
	for _, name := range formats.Names() {
		kind, _ := formats.Find(name)
		f, err := formats.New(name, formats.Options{Include: payload.Include{HTML: true}, Secret: exampleSecret(t, kind)})
		if err != nil {
			t.Fatal(err)
		}
		r, p := payloadtest.Request(t, f, e)
		if what := readable(r.Body.ContentType(), p); what != "" {
			t.Errorf("%s: %s", name, what)
		}
		if count := counts[name]; count != nil && count(p, r) != n {
			t.Errorf("%s: %d attachments", name, count(p, r))
		}
		delete(counts, name)
	}
	if len(counts) > 0 {
		t.Errorf("not met: %v", counts)
	}
}

// elements is the length of an array of a JSON object.
func elements(t *testing.T, p []byte, key string) int {
	t.Helper()
	var m map[string]json.RawMessage
	var list []json.RawMessage
	if json.Unmarshal(p, &m) != nil || json.Unmarshal(m[key], &list) != nil {
		t.Fatalf("%s is no array", key)
	}
	return len(list)
}

// BenchmarkManyAttachments: a format whose cost per attachment grows with their number shows here.
func BenchmarkManyAttachments(b *testing.B) {
	for _, name := range slices.Sorted(slices.Values(formats.Names())) {
		for _, n := range []int{100, 900} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				f, err := formats.New(name, formats.Options{Include: payload.Include{HTML: true}})
				if err != nil {
					b.Fatal(err)
				}
				e := payloadtest.Event(b, many(n))
				for b.Loop() {
					payloadtest.Request(b, f, e)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/attachment")
			})
		}
	}
}
