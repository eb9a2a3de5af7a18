package message

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bounceWant is a recipient as the set of bounces expects it.
type bounceWant struct{ Status, Reply, Reason string }

// invented are the status codes that the set makes up where the report has none.
var invented = regexp.MustCompile(`^[45]\.0\.9\d\d$`)

// The set of bounces of Sisimai: every one is known as a bounce, no other message is
// taken for one, and status and reply of each recipient are as expected in as many
// reports as before. Where a report says no status the set makes one up; ours is
// then empty, or 5.0.0 or 4.0.0 where the report says just that.
func TestBouncesOfRealSystems(t *testing.T) {
	dir := filepath.Join(corpora(t), "bounce-sisimai")
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string][]bounceWant
	if err := json.Unmarshal(b, &expected); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "set-of-emails/maildir/*/*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no messages: ", err)
	}
	bounces, known, right, replies, complaints := 0, 0, 0, 0, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(file, "/mac/") { // no transport brings lines that end in CR alone
			b = bytes.ReplaceAll(b, []byte("\r"), []byte("\r\n"))
		}
		name := strings.TrimSuffix(filepath.Base(file), ".eml")
		m := Parse(bytes.NewReader(b), int64(len(b)), Options{})
		want := expected[name]
		switch {
		case strings.Contains(file, "/not/"):
			if m.Class == ClassBounce {
				t.Errorf("%s is taken for a bounce", name)
			}
		case strings.HasPrefix(name, "arf-"):
			complaints++
			if m.Class != ClassFeedbackReport {
				t.Errorf("%s is %s", name, m.Class)
			}
		case len(want) > 0 && want[0].Reason == "vacation":
			replies++
			if m.Class != ClassAutoReply {
				t.Errorf("%s is %s", name, m.Class)
			}
		case len(want) > 0:
			bounces++
			if m.Bounce == nil {
				t.Logf("%s: not known as a bounce: %s", file, m.Class)
				continue
			}
			known++
			if fault := compareBounce(m.Bounce, want); fault != "" {
				t.Logf("%s: %s", file, fault)
				continue
			}
			right++
		}
	}
	const wantKnown, wantRight = 341, 334
	if known < wantKnown || right < wantRight {
		t.Errorf("%d known and %d right, before %d and %d", known, right, wantKnown, wantRight)
	}
	t.Logf("%d of %d bounces known, %d right (%.1f %%); %d automatic replies, %d feedback reports", known, bounces, right, 100*float64(right)/float64(bounces), replies, complaints)
}

// compareBounce says what differs, "" if nothing does.
func compareBounce(b *Bounce, want []bounceWant) string {
	var got []string
	rest := make([]bounceWant, len(want))
	copy(rest, want)
	for _, r := range b.Recipients {
		got = append(got, r.Address+" "+r.Status+"/"+r.Reply)
		for i, w := range rest {
			status := r.Status == w.Status || invented.MatchString(w.Status) && (r.Status == "" || strings.HasSuffix(r.Status, ".0.0"))
			if status && r.Reply == w.Reply {
				rest = append(rest[:i], rest[i+1:]...)
				break
			}
		}
	}
	if len(rest) == 0 {
		return ""
	}
	b2, _ := json.Marshal(want)
	return strings.Join(got, ", ") + "; want " + string(b2)
}

// Reports of other sets: feedback reports as mail-auth reads them, and a DMARC
// failure report.
func TestFeedbackReportsOfRealSystems(t *testing.T) {
	dir := corpora(t)
	files, err := filepath.Glob(filepath.Join(dir, "reports-mail-auth/arf/*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no reports: ", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		expected, err := os.ReadFile(strings.TrimSuffix(file, ".eml") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			Type      string   `json:"feedback_type"`
			UserAgent string   `json:"user_agent"`
			SourceIP  string   `json:"source_ip"`
			MailFrom  string   `json:"original_mail_from"`
			RcptTo    string   `json:"original_rcpt_to"`
			MTA       string   `json:"reporting_mta"`
			Arrival   int64    `json:"arrival_date"`
			Incidents int      `json:"incidents"`
			Domains   []string `json:"reported_domain"`
			URIs      []string `json:"reported_uri"`
		}
		if err := json.Unmarshal(expected, &want); err != nil {
			t.Fatal(err)
		}
		r := Parse(bytes.NewReader(b), int64(len(b)), Options{}).FeedbackReport
		if r == nil {
			t.Errorf("%s is not known", file)
			continue
		}
		if !strings.EqualFold(r.FeedbackType, want.Type) || r.UserAgent != want.UserAgent || r.SourceIP != want.SourceIP ||
			"<"+r.OriginalMailFrom+">" != want.MailFrom || "<"+strings.Join(r.OriginalRcptTo, ",")+">" != want.RcptTo || r.ReportingMTA != want.MTA ||
			r.ArrivalDate.Unix() != want.Arrival || r.Incidents != want.Incidents ||
			!slices.Equal(r.ReportedDomain, want.Domains) || !slices.Equal(r.ReportedURI, want.URIs) {
			t.Errorf("%s: %+v, want %+v", file, r, want)
		}
	}
	file := filepath.Join(dir, "reports-parsedmarc/failure/dmarc_ruf_report_linkedin.crlf.eml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := Parse(bytes.NewReader(b), int64(len(b)), Options{}).FeedbackReport
	if r == nil || r.FeedbackType != "auth-failure" || r.AuthFailure != "dmarc" || r.DeliveryResult != "delivered" || r.OriginalMessageID == "" {
		t.Errorf("%s: %+v", file, r)
	}
	t.Logf("%d feedback reports", len(files)+1)
}

// No message of the other sets is taken for a bounce but those that are.
func TestOtherMessagesAreNoBounces(t *testing.T) {
	n, bounces := 0, 0
	eachCorpusFile(t, func(path string, b []byte) {
		if strings.Contains(path, "bounce-sisimai") {
			return
		}
		n++
		m := Parse(bytes.NewReader(b), int64(len(b)), Options{})
		if m.Class != ClassBounce {
			return
		}
		bounces++
		name := strings.ToLower(path)
		for _, word := range []string{"bounce", "dsn", "delivery-status", "report", "failure", "msg_05", "msg_16", "msg_25"} {
			if strings.Contains(name, word) {
				return
			}
		}
		t.Errorf("%s is taken for a bounce", path)
	})
	t.Logf("%d files, %d bounces", n, bounces)
}
