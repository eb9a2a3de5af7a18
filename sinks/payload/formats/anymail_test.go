package formats_test

import (
	"mime"
	"reflect"
	"strings"
	"testing"

	"mxhook/sinks"
	"mxhook/sinks/payload"

	"mxhook/inbound/status"
	"mxhook/sinks/payload/payloadtest"
)

func TestDjangoAnymail(t *testing.T) {
	t.Parallel()
	c := start(t, "django-anymail with boto3", []string{python, "-c", "import anymail, boto3"}, nil, python, "testdata/consumers/with_anymail.py")
	t.Run("reads each format", func(t *testing.T) { anymailReads(t, c) })
	t.Run("refuses a wrong key", func(t *testing.T) { anymailRefuses(t, c) })
	t.Run("takes a second attempt", func(t *testing.T) { anymailTakesASecondAttempt(t, c) })
}

// anymailFormats are the formats that django-anymail knows.
var anymailFormats = []struct {
	name, path, secret string
	// adapt takes out of what is expected what the provider has no place for.
	adapt func(want *read, e *sinks.Event)
}{
	{"postmark", "postmark/inbound/", "", func(w *read, e *sinks.Event) { w.EventID = payload.UUID(e) }},
	{"sendgrid", "sendgrid/inbound/", "", func(w *read, _ *sinks.Event) { w.Stripped, w.EventID = "", "" }},
	{"sendgrid-raw", "sendgrid/inbound/", "", parsedThere},
	{"mailgun", "mailgun/inbound/", "signing-key", func(w *read, _ *sinks.Event) { w.EventID = "" }},
	{"mailgun-mime", "mailgun/inbound/", "signing-key", parsedThere},
	{"mandrill", "mandrill/", "mandrill-key", func(w *read, e *sinks.Event) { parsedThere(w, e); w.EnvelopeFrom = "" }},
	{"ses", "amazon_ses/inbound/", "", asSES},
}

// parsedThere is for formats that carry the message as it is: the app's own parser
// finds winmail.dat as it came, and no reply.
func parsedThere(w *read, e *sinks.Event) {
	w.Stripped, w.EventID = "", ""
	if e.Message.TextFromHTML {
		w.Text = ""
	}
	if strings.HasPrefix(e.Message.MessageID, "<winmail-dat") {
		w.HTML = ""
		w.Files = []file{{"winmail.dat", "application/ms-tnef", "", "fc33fbf9d651a8f39d451a82b5826f51772f61d1292ffb69a2f459acd8dd0812", 723}}
	}
}

// asSES: of octets that are no UTF-8 SES makes base64, so that Python reads fields as they
// were sent.
func asSES(w *read, e *sinks.Event) {
	parsedThere(w, e)
	w.EventID = e.ID
	if e.Message.MessageID == "<8@sender.example>" {
		w.Subject, w.From = "Gr\ufffd\ufffde", []mailbox{{"J\ufffdrgen", "ann@sender.example"}}
	}
}

func anymailReads(t *testing.T, c *consumer) {
	for _, f := range anymailFormats {
		for name, e := range letters(t) {
			o := post(t, f.name, "http://user:pass@"+c.address+"/anymail/"+f.path, f.secret, e)
			if o.Err != nil {
				t.Errorf("%s, %s: %v %s", f.name, name, o.Err, o.Detail)
				continue
			}
			got, want := c.next(t), expected(e)
			f.adapt(&want, e)
			got.Consumer, got.Subject = "", strings.Join(strings.Fields(got.Subject), " ")
			if len(got.EventID) == 50 {
				got.EventID = "" // Mailgun's token
			}
			for i := range got.From {
				got.From[i].Name = decoded(got.From[i].Name)
			}
			for i := range got.To {
				got.To[i].Name = decoded(got.To[i].Name)
			}
			if diff := differences(got, want); len(diff) > 0 {
				t.Errorf("%s, %s:\n%v", f.name, name, diff)
			}
		}
	}
}

// anymailRefuses: a wrong key or password is the operator's error, and not tried again.
func anymailRefuses(t *testing.T, c *consumer) {
	e := payloadtest.Example(t, "plain.eml")
	for _, f := range anymailFormats {
		user, secret := "user:wrong@", f.secret
		if secret != "" {
			user, secret = "user:pass@", "wrong"
		}
		o := post(t, f.name, "http://"+user+c.address+"/anymail/"+f.path, secret, e)
		if status.ConditionOf(o.Err) != status.SinkOperator || o.Attempts != 1 {
			t.Errorf("%s: %+v", f.name, o)
		}
	}
}

// anymailTakesASecondAttempt: the first one is answered with 503, as by an app that is being
// restarted.
func anymailTakesASecondAttempt(t *testing.T, c *consumer) {
	for _, f := range anymailFormats {
		front := newFront(t, c.address)
		o := post(t, f.name, "http://user:pass@"+front.address+"/anymail/"+f.path, f.secret, payloadtest.Example(t, "attachment-pdf.eml"))
		if o.Err != nil || o.Attempts != 2 {
			t.Errorf("%s: %+v", f.name, o)
			continue
		}
		if got := c.next(t); got.Subject != "The invoice" {
			t.Errorf("%s: %+v", f.name, got)
		}
		if fresh := strings.HasPrefix(f.name, "mailgun"); fresh == (front.body(0) == front.body(1)) {
			t.Errorf("%s: the second request's body is a new one: %t", f.name, !fresh)
		}
	}
}

// differences are the fields of want that got has otherwise.
func differences(got, want read) (all []string) {
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		name := g.Type().Field(i).Name
		a, b := g.Field(i).Interface(), w.Field(i).Interface()
		if s, ok := a.(string); ok {
			a, b = same(s), same(b.(string))
		}
		if !reflect.DeepEqual(a, b) {
			all = append(all, name+": "+text(a)+", want "+text(b)+"\n")
		}
	}
	return all
}

// decoded is a name without the encoded words that anymail makes of Postmark's.
func decoded(name string) string {
	if s, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
		return s
	}
	return name
}
