package formats_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload/payloadtest"
)

// TestPackagesOfNPM needs the packages of testdata/consumers/package.json where NODE_PATH
// says.
func TestPackagesOfNPM(t *testing.T) {
	t.Parallel()
	private, public := keys(t)
	c := start(t, "the packages of testdata/consumers/package.json", []string{"node", "-e", `for (const x of ["@sendgrid/eventwebhook", "@sendgrid/inbound-mail-parser", "cloudevents", "express", "mailparser", "multer"]) require(x)`},
		[]string{"SENDGRID_KEY=" + public}, "node", "testdata/consumers/with_node.js", t.TempDir())
	all := npmFormats(private)
	t.Run("read each format", func(t *testing.T) { npmReads(t, c, all) })
	t.Run("refuse a wrong key", func(t *testing.T) { npmRefuses(t, c, all) })
	t.Run("take a second attempt", func(t *testing.T) { npmTakesASecondAttempt(t, c, all) })
}

type npmFormat struct {
	name, path, user, secret string
	// adapt takes out of what is expected what the package does not tell.
	adapt func(want *read, e *sinks.Event)
}

func npmFormats(private string) []npmFormat {
	sendgrid := func(w *read, _ *sinks.Event) {
		w.From, w.To, w.Stripped, w.MessageID, w.EventID = nil, nil, "", "", ""
		for i := range w.Files {
			w.Files[i].ContentID = ""
		}
	}
	// whole is for mailparser: it takes the type of a file of no type from its name.
	whole := func(w *read, e *sinks.Event) {
		parsedThere(w, e)
		w.EnvelopeFrom, w.SPF = "", ""
		for i := range w.Files {
			if strings.HasSuffix(w.Files[i].Filename, ".txt") {
				w.Files[i].ContentType = "text/plain"
			}
		}
	}
	octets := func(w *read, e *sinks.Event) { // as they were sent
		whole(w, e)
		if e.Message.MessageID == "<8@sender.example>" {
			w.Subject, w.From = "Gr\ufffd\ufffde", []mailbox{{"J\ufffdrgen", "ann@sender.example"}}
		}
	}
	cloudmailin := func(w *read, _ *sinks.Event) { w.From, w.To, w.EventID = nil, nil, "" }
	return []npmFormat{
		{"sendgrid", "/sendgrid", "", private, sendgrid},
		{"sendgrid-raw", "/sendgrid", "", private, func(w *read, e *sinks.Event) {
			sendgrid(w, e)
			w.Text, w.HTML, w.Files = "", "", []file{}
		}},
		{"cloudevents", "/cloudevents", "", "", func(*read, *sinks.Event) {}},
		{"raw", "/whole", "", "", octets},
		{"action-mailbox", "/whole", "", "", octets},
		{"ses", "/whole", "", "", octets},
		{"postmark", "/whole", "", "", whole},
		{"mandrill", "/whole", "", "", whole},
		{"sendgrid-raw", "/whole", "", "", whole},
		{"mailgun-mime", "/whole", "", "", whole},
		{"cloudmailin", "/cloudmailin", "user:pass@", "", cloudmailin},
		{"cloudmailin-multipart", "/cloudmailin", "user:pass@", "", func(w *read, e *sinks.Event) {
			cloudmailin(w, e)
			for i := range w.Files {
				w.Files[i].ContentID = ""
			}
		}},
	}
}

func npmReads(t *testing.T, c *consumer, all []npmFormat) {
	for _, f := range all {
		for name, e := range letters(t) {
			o := post(t, f.name, "http://"+f.user+c.address+f.path, f.secret, e)
			if o.Err != nil {
				t.Errorf("%s, %s: %v %s", f.name, name, o.Err, o.Detail)
				continue
			}
			got, want := c.next(t), expected(e)
			want.SPF = "pass"
			f.adapt(&want, e)
			got.Subject = strings.Join(strings.Fields(got.Subject), " ")
			if f.name != "cloudevents" {
				got.EventID = "" // SendGrid's timestamp
			}
			if f.path == "/sendgrid" && f.name == "sendgrid-raw" {
				want.SHA256 = digest([]byte(payloadtest.RawText(t, e)))
			} else {
				got.SHA256 = ""
			}
			if diff := differences(got, want); len(diff) > 0 {
				t.Errorf("%s, %s:\n%v", f.name, name, diff)
			}
		}
	}
}

// npmRefuses: a wrong key or password is the operator's error, and not tried again.
func npmRefuses(t *testing.T, c *consumer, all []npmFormat) {
	other, _ := keys(t)
	for _, f := range all {
		user, secret := "user:wrong@", ""
		if f.secret != "" {
			secret = other
		}
		if f.name == "cloudevents" || f.path == "/whole" {
			continue // these have no authentication
		}
		o := post(t, f.name, "http://"+user+c.address+f.path, secret, payloadtest.Example(t, "plain.eml"))
		if status.ConditionOf(o.Err) != status.SinkOperator || o.Attempts != 1 || o.Detail != "HTTP 401" {
			t.Errorf("%s: %+v", f.name, o)
		}
	}
}

func npmTakesASecondAttempt(t *testing.T, c *consumer, all []npmFormat) {
	for _, f := range all {
		front := newFront(t, c.address)
		o := post(t, f.name, "http://"+f.user+front.address+f.path, f.secret, payloadtest.Example(t, "plain.eml"))
		if o.Err != nil || o.Attempts != 2 {
			t.Errorf("%s: %+v", f.name, o)
			continue
		}
		if got := c.next(t); got.Subject != "A plain message" {
			t.Errorf("%s: %+v", f.name, got)
		}
	}
}

// keys makes a key pair of P-256 in PEM.
func keys(t *testing.T) (private, public string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	q, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p})), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: q}))
}
