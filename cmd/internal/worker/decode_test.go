package worker_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"mxhook/cmd/internal/worker"
	"mxhook/cmd/internal/worker/workertest"
	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
)

// event is one as the bridge makes it: with an identity, and parsed.
func event(size int) *sinks.Event {
	e := sinktest.NewEvent(size, "ann+7@in.example", "bob@in.example")
	e.Identity = sinks.Identity{MessageID: "<1@sender.example>", BodySHA256: e.Data.BodySHA256()}.Sum()
	e.ID = sinks.EventID(e.Identity, e.Route, e.Recipients)
	e.Recipients[0].Captures = map[string]string{"ticket": "7"}
	e.Message = message.Parse(e.Data, e.Data.Size(), message.Options{})
	return e
}

// bucket is what a worker may read.
type bucket map[string]func() io.Reader

func (b bucket) Open(_ context.Context, name, key string) (io.ReadCloser, error) {
	if name != "mail" {
		return nil, worker.ErrBucket
	}
	open, ok := b[key]
	if !ok {
		return nil, worker.ErrNoObject
	}
	return io.NopCloser(open()), nil
}

func holding(text string) func() io.Reader {
	return func() io.Reader { return strings.NewReader(text) }
}

func store(t testing.TB) *inbound.Store { return inbound.NewStore(t.TempDir(), 64<<10) }

func octets(t testing.TB, data *inbound.MailData) string {
	t.Helper()
	b, err := io.ReadAll(data.Open())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func pointer(key string) string {
	return `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"mail","s3Key":"` + key + `"}]`
}

func TestWhateverWayTheBytesTakeTheEventIsTheSame(t *testing.T) {
	for _, size := range []int{10, 300_000} {
		e := event(size)
		m := workertest.MessageOf(t, e)
		all := bucket{"payload": holding(m.Body), "raw.eml": holding(octets(t, e.Data)),
			"slow": func() io.Reader { return iotest.OneByteReader(strings.NewReader(m.Body[:len(m.Body)-1] + "\n}\n")) }}
		for name, change := range map[string]func(*worker.Message){
			"in the body":                  func(*worker.Message) {},
			"behind a pointer":             func(m *worker.Message) { m.Body = pointer("payload") },
			"behind a pointer with blanks": func(m *worker.Message) { m.Body = " " + strings.ReplaceAll(pointer("payload"), ",", ",\n ") },
			"in pieces of an octet":        func(m *worker.Message) { m.Body = pointer("slow") },
			"beside a payload of another format": func(m *worker.Message) {
				m.Body, m.Attributes["mxhook-format"], m.Attributes["mxhook-raw"] = "{}", "ses", `{"s3BucketName":"mail","s3Key":"raw.eml"}`
			},
			"in a body with escapes that need not be": func(m *worker.Message) { m.Body = strings.ReplaceAll(m.Body, `"content":"R`, `"content":"\u0052`) },
		} {
			if size > 100 && strings.Contains(name, "octet") {
				continue
			}
			t.Run(name, func(t *testing.T) {
				m := workertest.MessageOf(t, e)
				change(&m)
				got, err := worker.Decoder{Store: store(t), Objects: all}.Decode(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				defer got.Data.Release()
				if got.ID != e.ID || octets(t, got.Data) != octets(t, e.Data) || workertest.Payload(t, got) != workertest.Payload(t, e) {
					t.Error("another event comes out")
				}
			})
		}
	}
}

func TestPoisonIsToldWithItsCure(t *testing.T) {
	e := event(100)
	good := workertest.MessageOf(t, e)
	other := event(200)
	edit := func(change func(payload, raw map[string]any)) string {
		var p map[string]any
		if err := json.Unmarshal([]byte(good.Body), &p); err != nil {
			t.Fatal(err)
		}
		change(p, p["raw"].(map[string]any))
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	content := func(c any) string { return edit(func(_, raw map[string]any) { raw["content"] = c }) }
	mail := base64.StdEncoding.EncodeToString([]byte(octets(t, e.Data)))
	foreign := "let sqs sinks of mxhook alone"
	for name, c := range map[string]struct {
		change func(m *worker.Message)
		cure   string
	}{
		"from somebody else":             {func(m *worker.Message) { *m = worker.Message{Body: `{"hello":"world"}`} }, foreign},
		"no event":                       {func(m *worker.Message) { delete(m.Attributes, "mxhook-event") }, foreign},
		"an event that is none":          {func(m *worker.Message) { m.Attributes["mxhook-event"] = "{}" }, foreign},
		"an event without a digest":      {func(m *worker.Message) { m.Attributes["mxhook-event"] = cutRaw(m.Attributes["mxhook-event"]) }, foreign},
		"an empty body":                  {func(m *worker.Message) { m.Body = "" }, foreign},
		"a body that is no JSON":         {func(m *worker.Message) { m.Body = "<xml/>" }, foreign},
		"a body that ends early":         {func(m *worker.Message) { m.Body = m.Body[:len(m.Body)-1] }, foreign},
		"a body that ends in the mail":   {func(m *worker.Message) { m.Body = m.Body[:len(m.Body)-20] }, foreign},
		"two bodies":                     {func(m *worker.Message) { m.Body += m.Body }, foreign},
		"a list":                         {func(m *worker.Message) { m.Body = "[1,2]" }, foreign},
		"a deep one":                     {func(m *worker.Message) { m.Body = `{"a":` + strings.Repeat("[", 1<<20) }, foreign},
		"no base64":                      {func(m *worker.Message) { m.Body = content("????") }, foreign},
		"half a base64":                  {func(m *worker.Message) { m.Body = content(mail[:len(mail)-1]) }, foreign},
		"a number for the mail":          {func(m *worker.Message) { m.Body = content(7) }, foreign},
		"without the mail":               {func(m *worker.Message) { m.Body = content(nil) }, "raw: inline"},
		"without raw":                    {func(m *worker.Message) { m.Body = edit(func(p, _ map[string]any) { delete(p, "raw") }) }, "raw: inline"},
		"another format":                 {func(m *worker.Message) { m.Attributes["mxhook-format"] = "ses\x00" }, "format: mxhook"},
		"another mail":                   {func(m *worker.Message) { m.Body = workertest.MessageOf(t, other).Body }, "was changed"},
		"an octet changed":               {func(m *worker.Message) { m.Body = content("S" + mail[1:]) }, "was changed"},
		"a mail that goes on and on":     {func(m *worker.Message) { m.Body = content(strings.Repeat("AAAA", 1<<20)) }, "was changed"},
		"a mail that is cut":             {func(m *worker.Message) { m.Body = content(mail[:40]) }, "was changed"},
		"a pointer to nothing":           {func(m *worker.Message) { m.Body = pointer("gone") }, "keep objects"},
		"a pointer to another bucket":    {func(m *worker.Message) { m.Body = strings.Replace(pointer("x"), `"mail"`, `"secrets"`, 1) }, "define an s3 sink"},
		"a pointer to something else":    {func(m *worker.Message) { m.Body = pointer("other") }, foreign},
		"a pointer of another class":     {func(m *worker.Message) { m.Body = `["x",{"s3BucketName":"mail","s3Key":"payload"}]` }, foreign},
		"a pointer without a key":        {func(m *worker.Message) { m.Body = pointer("") }, foreign},
		"a place of the mail that is no": {func(m *worker.Message) { m.Attributes["mxhook-raw"] = "x" }, foreign},
		"a mail elsewhere that is none":  {func(m *worker.Message) { m.Attributes["mxhook-raw"] = `{"s3BucketName":"mail","s3Key":"other"}` }, "was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			m := workertest.MessageOf(t, e)
			c.change(&m)
			s := store(t)
			_, err := worker.Decoder{Store: s, Objects: bucket{"other": holding("something else"), "payload": holding(good.Body)}}.Decode(t.Context(), m)
			var p *worker.PoisonError
			if !errors.As(err, &p) || !strings.Contains(p.Cure, c.cure) {
				t.Fatalf("%v, cure %+v", err, p)
			}
			if strings.Contains(p.Reason+p.Cure, sinktest.Canary) || strings.ContainsAny(p.Reason, "\r\n\x00") {
				t.Errorf("%q", p.Reason)
			}
			if s.InMemory() != 0 {
				t.Errorf("%d octets are not given back", s.InMemory())
			}
		})
	}
}

// cutRaw takes the digest out of a record.
func cutRaw(text string) string {
	before, _, _ := strings.Cut(text, `,"raw":`)
	return before + "}"
}

func TestABucketThatFailsIsTemporary(t *testing.T) {
	e := event(100_000)
	m := workertest.MessageOf(t, e)
	for name, failing := range map[string]func() io.Reader{
		"from the start": func() io.Reader { return iotest.ErrReader(errors.New("reset")) },
		"in the middle": func() io.Reader {
			return io.MultiReader(strings.NewReader(m.Body[:50_000]), iotest.ErrReader(io.ErrUnexpectedEOF))
		},
		"with its reason": func() io.Reader { return iotest.ErrReader(status.SinkTimeout.Wrap("s3", nil)) },
	} {
		for _, as := range []string{"payload", "raw"} {
			changed := m
			if as == "payload" {
				changed.Body = pointer("failing")
			} else {
				changed.Attributes = map[string]string{"mxhook-event": m.Attributes["mxhook-event"], "mxhook-raw": `{"s3BucketName":"mail","s3Key":"failing"}`}
			}
			_, err := worker.Decoder{Store: store(t), Objects: bucket{"failing": failing}}.Decode(t.Context(), changed)
			var p *worker.PoisonError
			if err == nil || errors.As(err, &p) || status.ClassOf(err) != status.Temporary || strings.Contains(err.Error(), "reset") {
				t.Errorf("%s of the %s: %v", name, as, err)
			}
		}
	}
}

func TestAFullDiskIsTemporary(t *testing.T) {
	noFolder := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(noFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := inbound.NewBoundedStore(inbound.StoreConfig{Dir: noFolder, Threshold: 10, Memory: 1 << 10})
	_, err := worker.Decoder{Store: s}.Decode(t.Context(), workertest.MessageOf(t, event(100_000)))
	if status.ConditionOf(err) != status.NoStorage || s.InMemory() != 0 {
		t.Errorf("%v, %d octets are not given back", err, s.InMemory())
	}
}

// FuzzDecode: whatever stands in a queue, nothing panics, and what comes out has the digest
// of its record.
func FuzzDecode(f *testing.F) {
	e := event(100)
	m := workertest.MessageOf(f, e)
	f.Add(m.Body)
	f.Add(pointer("payload"))
	f.Add(`{"raw":{"content":"` + base64.StdEncoding.EncodeToString([]byte(octets(f, e.Data))) + `"}}`)
	f.Add(`{"raw":null,"raw":{"content":null}, "a":[{"b":"\ud834\udd1e\/"},-1.5e3,true,false]}`)
	want := octets(f, e.Data)
	s := inbound.NewStore(f.TempDir(), 1<<20)
	f.Fuzz(func(t *testing.T, body string) {
		changed := m
		changed.Body = body
		got, err := worker.Decoder{Store: s, Objects: bucket{"payload": holding(m.Body)}}.Decode(t.Context(), changed)
		if err == nil {
			if octets(t, got.Data) != want {
				t.Error("other bytes came out")
			}
			got.Data.Release()
		}
		if s.InMemory() != 0 {
			t.Errorf("%d octets are not given back", s.InMemory())
		}
		// What the scanner takes is JSON where the standard library says so, too, but for what
		// is passed over.
		if json.Valid([]byte(body)) && err != nil && strings.Contains(err.Error(), "no JSON") && !oddRaw(body) {
			t.Errorf("%v of %q", err, body)
		}
	})
}

// oddRaw tells whether a body is JSON in which raw or its content has another type than
// it should.
func oddRaw(body string) bool {
	var list []struct {
		Raw *struct{ Content *[]byte }
	}
	err := json.NewDecoder(bytes.NewReader([]byte("[" + body + "]"))).Decode(&list)
	return err != nil || strings.Count(body, "raw") > 1 || strings.Count(body, "\\") > 0 || strings.Contains(body, "content")
}
