package mandrill

import (
	"bytes"
	"net/url"
	"os"
	"strings"
	"testing"

	"mxhook/sinks/payload"
)

// TestTheSignatureOfARealRequest signs the events of a request that Mandrill made, with its
// key and URL, and gets the signature that stood in it.
func TestTheSignatureOfARealRequest(t *testing.T) {
	p, err := os.ReadFile("../../../../shared/corpora/payload-multi_mail/mandrill/valid.txt")
	if err != nil {
		t.Skip("no corpora beside the module")
	}
	head, body, _ := bytes.Cut(bytes.ReplaceAll(p, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	form, err := url.ParseQuery(strings.TrimSpace(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	events := payload.NewBody("application/json", payload.TextSource(form.Get("mandrill_events")))
	r, err := encoded{"rth_rywL9CWIIZBuwPQIWw", events, nil}.Request(payload.Attempt{URL: "http://rackbin.herokuapp.com/"})
	const want = "MXY+G9y45C1zuDoKdkQH1VhPoy0="
	if got := r.Header[SignatureField]; err != nil || got != want {
		t.Errorf("%s %v", got, err)
	}
	if !bytes.Contains(head, []byte(want)) {
		t.Error("the request has another signature")
	}
}
