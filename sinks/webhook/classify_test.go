package webhook

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
)

func TestWhatIsIgnoredIsWarnedOf(t *testing.T) {
	for _, c := range []struct {
		code    int
		replies []string
		warned  bool
	}{
		{200, nil, false}, {200, []string{"550 5.7.1 no"}, true}, {500, []string{"550 5.7.1 no"}, false}, {500, []string{"no"}, true},
		{500, []string{"421 4.3.2 bye"}, true}, {406, []string{"550 5.7.1 a", "550 5.7.1 b"}, true}, {500, []string{""}, true},
	} {
		_, warning := classify("test", answer{code: c.code, header: http.Header{"Smtp-Reply": c.replies}}, []int{406}, time.Now())
		if (warning != "") != c.warned {
			t.Errorf("%d %q: warning %q", c.code, c.replies, warning)
		}
	}
}

// FuzzClassify: whatever an app answers, the reply is one short printable line whose
// codes belong together, a yes is a 2xx and nothing else, and what is tried again
// is temporary.
func FuzzClassify(f *testing.F) {
	f.Add(200, "", "text/plain", "ok", "")
	f.Add(406, "", "text/plain; charset=x", "no\r\n250 2.0.0 yes", "")
	f.Add(500, "550 5.7.1 no", "", "", "10")
	f.Add(503, "421 4.3.2 bye", "text/html", "<p>", "Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add(301, "450 4.2.1", "", "", "")
	f.Add(413, "550-5.7.1 a\r\n550 5.7.1 b", "", "", "")
	f.Add(999, "250 2.0.0 x", "text/plain", "\xff\x00", "-1")
	now := time.Now()
	f.Fuzz(func(t *testing.T, code int, smtpReply, contentType, body, after string) {
		h := http.Header{"Content-Type": {contentType}, "Retry-After": {after}}
		if smtpReply != "" {
			h["Smtp-Reply"] = []string{smtpReply}
		}
		r, _ := classify("test", answer{code: code, header: h, body: []byte(body)}, []int{406, 422}, now)
		reply := status.ReplyOf(r.err)
		if yes := code >= 200 && code <= 299; yes != (r.err == nil) {
			t.Fatalf("status %d: %v", code, r.err)
		}
		if r.retry && reply.Class() != status.Temporary {
			t.Errorf("%v is tried again", reply)
		}
		if reply.Code == 421 || reply.Class() != status.Class(reply.Enhanced[0]) {
			t.Errorf("reply %v", reply)
		}
		line := reply.String()
		if len(line) > 500 || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("reply %q", line)
		}
		if reply.Class() == status.Permanent && code != 406 && code != 422 && code != 413 && smtpReply == "" {
			t.Errorf("status %d is a refusal: %v", code, reply)
		}
	})
}
