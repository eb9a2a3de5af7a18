package page_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func origin(o string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Origin", o) }
}

func form(values url.Values) func(*http.Request) {
	return func(r *http.Request) {
		text := values.Encode()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body, r.ContentLength = http.NoBody, 0
		if text != "" {
			r.Body, r.ContentLength = body(text), int64(len(text))
		}
	}
}

// tokenOf returns the token of the forms of a document.
func tokenOf(t *testing.T, document string) string {
	t.Helper()
	m := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(document)
	if m == nil {
		t.Fatal("the document has no form with a token")
	}
	return m[1]
}

func TestEveryAnswerHasTheFieldsThatKeepABrowserSafe(t *testing.T) {
	b := newBed(t)
	dead := b.dead(b.mail("x", "Content-Type: text/html\r\n", "<p>x"))
	for path, code := range map[string]int{"/": 200, "/spool": 200, "/sinks": 200, "/spool/" + dead: 200, "/messages/none": 404, "/nothing": 404, "/spool/" + dead + "/frame": 200, "/spool/" + dead + "/download": 200, "/static/page.css": 200, "/static/other": 404} {
		answer, _ := b.ask("GET", path)
		policy := answer.Header.Get("Content-Security-Policy")
		if answer.StatusCode != code || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe-inline") != strings.HasSuffix(path, "/frame") ||
			strings.Contains(policy, "unsafe-eval") || answer.Header.Get("X-Content-Type-Options") != "nosniff" || answer.Header.Get("Referrer-Policy") == "" || answer.Header.Get("Cache-Control") == "" {
			t.Errorf("%s: %d %v", path, answer.StatusCode, answer.Header)
		}
		if !strings.HasPrefix(path, "/static") && answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be stored: %s", path, answer.Header.Get("Cache-Control"))
		}
	}
	answer, _ := b.ask("GET", "/spool/"+dead+"/frame")
	if p := answer.Header.Get("Content-Security-Policy"); p != "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'" {
		t.Errorf("the frame's policy is %q", p)
	}
	answer, _ = b.ask("GET", "/spool/"+dead+"/frame", func(r *http.Request) { r.Header.Set("Sec-Fetch-Dest", "document") })
	if answer.StatusCode != 403 {
		t.Errorf("a mail's HTML by itself: %d", answer.StatusCode)
	}
	answer, text := b.ask("GET", "/spool/"+dead+"/download")
	if answer.Header.Get("Content-Type") != "application/octet-stream" || !regexp.MustCompile(`^attachment; filename="msg_[a-z2-7]{26}\.eml"$`).MatchString(answer.Header.Get("Content-Disposition")) || !strings.Contains(text, "Subject: x") {
		t.Errorf("the download: %v %q", answer.Header, text)
	}
}

func TestHostileTextStaysText(t *testing.T) {
	b := newBed(t)
	const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>'` + "\u202e\u2067\x1b[31m"
	dead := b.dead(b.mail(attack, "", attack))
	b.sendFrom(`"<script>alert(1)</script>"@sender.example`, `"<img/src=x/onerror=alert(2)>"@in.example`, b.mail(attack, "", ""))
	b.send(`"<script>alert(3)</script>"@else.example`, "")
	pages := []string{"/", "/?q=" + url.QueryEscape(attack), "/?outcome=" + url.QueryEscape(attack), "/spool", "/spool?q=" + url.QueryEscape(attack) + "&done=" + url.QueryEscape(attack) + "&n=" + url.QueryEscape(attack),
		"/spool/" + dead, "/spool/" + dead + "?view=source", "/spool/" + dead + "?view=record", "/spool/" + dead + "?view=" + url.QueryEscape(attack), "/sinks"}
	for _, id := range messageIDs(b.get("/")) {
		pages = append(pages, "/messages/"+id)
	}
	for _, path := range pages {
		text := b.get(path)
		if strings.Count(text, "<script") != 1 || strings.Contains(text, "<img src=x") || strings.ContainsAny(text, "\u202e\u2067\x1b") || strings.Contains(text, "<img/src") {
			t.Errorf("%s has markup of a stranger, or characters that disturb:\n%s", path, text)
		}
	}
	if text := b.get("/spool/" + dead + "?view=source"); !strings.Contains(text, `\u{202e}`) && !strings.Contains(text, "&lt;script&gt;") {
		t.Errorf("the source hides what was sent:\n%s", text)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	b := newBed(t)
	dead := b.dead(b.mail("x", "", "x"))
	for _, path := range []string{"/", "/spool", "/sinks", "/spool/" + dead, "/spool/" + dead + "?view=record", "/metrics"} {
		text := b.get(path)
		for _, secret := range []string{"geheim", "whsec_", "c2VjcmV0", "the-token", "hidden"} {
			if secret == "hidden" {
				secret = "/hook/"
			}
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q", path, secret)
			}
		}
	}
}

func TestAPostNeedsTheSameOriginAndTheFormsToken(t *testing.T) {
	b := newBed(t)
	dead := b.dead(b.mail("x", "", "x"))
	token := tokenOf(t, b.get("/spool"))
	good := url.Values{"id": {dead}, "token": {token}, "confirmed": {"yes"}}
	without := url.Values{"id": {dead}, "confirmed": {"yes"}}
	host := strings.TrimPrefix(b.home, "http://")
	for _, c := range []struct {
		name   string
		code   int
		values url.Values
		change func(*http.Request)
	}{
		{"no Origin", 403, good, func(*http.Request) {}},
		{"another site", 403, good, origin("http://evil.example")},
		{"another port", 403, good, origin("http://127.0.0.1:1")},
		{"a longer name", 403, good, origin(b.home + ".evil.example")},
		{"null", 403, good, origin("null")},
		{"no form token", 403, without, origin(b.home)},
		{"a wrong form token", 403, url.Values{"id": {dead}, "token": {"x"}, "confirmed": {"yes"}}, origin(b.home)},
		{"the browser says cross-site", 403, good, func(r *http.Request) { origin(b.home)(r); r.Header.Set("Sec-Fetch-Site", "cross-site") }},
		{"the browser says same-site", 403, good, func(r *http.Request) { origin(b.home)(r); r.Header.Set("Sec-Fetch-Site", "same-site") }},
		{"a foreign Host with its own Origin", 421, good, func(r *http.Request) { origin("http://evil.example")(r); r.Host = "evil.example" }},
		{"a wrong bearer token", 403, good, func(r *http.Request) { r.Header.Set("Authorization", "Bearer wrong") }},
		{"another method", 405, good, func(r *http.Request) { r.Method = "DELETE"; origin(b.home)(r) }},
		{"no id", 400, url.Values{"token": {token}}, origin(b.home)},
		{"a path as the id", 400, url.Values{"token": {token}, "id": {"../../x"}}, origin(b.home)},
	} {
		answer, body := b.ask("POST", "/spool/drop", form(c.values), c.change)
		if answer.StatusCode != c.code {
			t.Errorf("%s: %d, want %d: %.200s", c.name, answer.StatusCode, c.code, body)
		}
		if got, _ := b.ask("GET", "/spool/"+dead); got.StatusCode != 200 {
			t.Fatalf("%s: the event is gone", c.name)
		}
	}
	// With a form of the page it is asked whether that is meant, and then done.
	answer, body := b.ask("POST", "/spool/drop", form(url.Values{"id": {dead}, "token": {token}}), origin("http://"+host))
	if answer.StatusCode != 200 || !strings.Contains(body, "Drop this event?") {
		t.Errorf("unconfirmed: %d %s", answer.StatusCode, body)
	}
	answer, _ = b.ask("POST", "/spool/drop", form(good), origin("http://"+host), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") })
	if answer.StatusCode != 303 || answer.Header.Get("Location") != "/spool?done=dropped&n=1" {
		t.Errorf("confirmed: %d %v", answer.StatusCode, answer.Header)
	}
	if got, _ := b.ask("GET", "/spool/"+dead); got.StatusCode != 404 {
		t.Errorf("after the drop: %d", got.StatusCode)
	}
	// The configuration's token does without a browser's word.
	dead = b.dead(b.mail("y", "", "y"))
	answer, _ = b.ask("POST", "/spool/replay", form(url.Values{"id": {dead}}), func(r *http.Request) { r.Header.Set("Authorization", "Bearer the-token") })
	if answer.StatusCode != 303 {
		t.Errorf("with the token: %d", answer.StatusCode)
	}
}

func TestReplayAllIsConfirmedAndDone(t *testing.T) {
	b := newBed(t)
	for n := range 3 {
		b.dead(b.mail(fmt.Sprint("dead ", n), "", "x"))
	}
	token := tokenOf(t, b.get("/spool"))
	values := url.Values{"token": {token}, "all": {"yes"}, "state": {"dead"}}
	answer, body := b.ask("POST", "/spool/replay", form(values), origin(b.home))
	if answer.StatusCode != 200 || !strings.Contains(body, "3 events go to work now") {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	b.answer(200)
	values.Set("confirmed", "yes")
	answer, _ = b.ask("POST", "/spool/replay", form(values), origin(b.home))
	if answer.StatusCode != 303 || answer.Header.Get("Location") != "/spool?done=replayed&n=3" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	if !strings.Contains(b.get(answer.Header.Get("Location")), "3 events put back to work.") {
		t.Error("nothing is said of it")
	}
	for range 3 {
		<-b.got
	}
	b.until("/spool", "The spool is empty")
	b.until("/?outcome=delivered&q=dead+2", "dead 2")
}

func TestOffLoopbackTheTokenIsNeededAndASessionDoes(t *testing.T) {
	b := newBedAt(t, "0.0.0.0:0")
	_, port, _ := strings.Cut(b.home, "]:")
	b.home = "http://127.0.0.1:" + port
	b.send("box@in.example", b.mail("a secret subject", "", "x"))
	for _, path := range []string{"/", "/spool", "/sinks", "/messages/x"} {
		if answer, body := b.ask("GET", path); answer.StatusCode != 303 || answer.Header.Get("Location") != "/login" || strings.Contains(body, "secret subject") {
			t.Errorf("%s without a session: %d", path, answer.StatusCode)
		}
	}
	for path, code := range map[string]int{"/metrics": 401, "/healthz": 200, "/readyz": 200, "/login": 200, "/static/page.js": 200} {
		if answer, _ := b.ask("GET", path); answer.StatusCode != code {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, code)
		}
	}
	if answer, _ := b.ask("POST", "/spool/replay", form(url.Values{"all": {"yes"}}), origin(b.home)); answer.StatusCode != 401 {
		t.Errorf("a POST without a session: %d", answer.StatusCode)
	}
	if answer, _ := b.ask("POST", "/login", form(url.Values{"password": {"the-token"}})); answer.StatusCode != 403 {
		t.Errorf("a login from elsewhere: %d", answer.StatusCode)
	}
	if answer, _ := b.ask("POST", "/login", form(url.Values{"password": {"wrong"}}), origin(b.home)); answer.StatusCode != 403 || answer.Header.Get("Set-Cookie") != "" {
		t.Errorf("a wrong token: %d %v", answer.StatusCode, answer.Header)
	}
	answer, _ := b.ask("POST", "/login", form(url.Values{"password": {"the-token"}}), origin(b.home))
	set := answer.Header.Get("Set-Cookie")
	if answer.StatusCode != 303 || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") || strings.Contains(set, "the-token") {
		t.Fatalf("%d %q", answer.StatusCode, set)
	}
	cookie, _, _ := strings.Cut(set, ";")
	with := func(r *http.Request) { r.Header.Set("Cookie", cookie) }
	answer, body := b.ask("GET", "/", with)
	if answer.StatusCode != 200 || !strings.Contains(body, "a secret subject") || !strings.Contains(body, "Log out") {
		t.Fatalf("with a session: %d %s", answer.StatusCode, body)
	}
	for _, forged := range []string{"mxhook_session=99999999999.AAAA", strings.Replace(cookie, "=1", "=2", 1), "mxhook_session=", cookie + "x"} {
		if answer, _ := b.ask("GET", "/", func(r *http.Request) { r.Header.Set("Cookie", forged) }); answer.StatusCode != 303 {
			t.Errorf("the forged session %q: %d", forged, answer.StatusCode)
		}
	}
	// A session is no word for where a request comes from.
	all := url.Values{"all": {"yes"}, "token": {tokenOf(t, body)}}
	if answer, _ := b.ask("POST", "/spool/drop", form(all), with, origin("http://evil.example")); answer.StatusCode != 403 {
		t.Errorf("another site with a session: %d", answer.StatusCode)
	}
	if answer, _ := b.ask("POST", "/spool/drop", form(all), with, origin(b.home)); answer.StatusCode != 200 {
		t.Errorf("the page with a session: %d", answer.StatusCode)
	}
	if answer, _ := b.ask("GET", "/", func(r *http.Request) { r.Header.Set("Authorization", "Bearer the-token") }); answer.StatusCode != 200 {
		t.Errorf("with the token: %d", answer.StatusCode)
	}
	answer, _ = b.ask("POST", "/logout", form(url.Values{"token": {tokenOf(t, body)}}), with, origin(b.home))
	if answer.StatusCode != 303 || !strings.Contains(answer.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("log out: %d %v", answer.StatusCode, answer.Header)
	}
}

func TestWrongTokensAreLimited(t *testing.T) {
	b := newBedAt(t, "0.0.0.0:0")
	_, port, _ := strings.Cut(b.home, "]:")
	b.home = "http://127.0.0.1:" + port
	codes := map[int]int{}
	for range 30 {
		answer, _ := b.ask("POST", "/login", form(url.Values{"password": {"wrong"}}), origin(b.home))
		codes[answer.StatusCode]++
	}
	if codes[403] != 10 || codes[429] != 20 {
		t.Errorf("%v", codes)
	}
	if answer, _ := b.ask("POST", "/login", form(url.Values{"password": {"the-token"}}), origin(b.home)); answer.StatusCode != 429 {
		t.Errorf("the right token after too many wrong ones: %d", answer.StatusCode)
	}
}

func TestSearchFilterAndPages(t *testing.T) {
	b := newBed(t)
	for n := range 120 {
		b.send(fmt.Sprintf("box%d@in.example", n), b.mail(fmt.Sprint("subject-", n, "-"), "", "x"))
	}
	b.send("nobody@else.example", "")
	seen := map[string]bool{}
	path, pages := "/?outcome=delivered", 0
	for path != "" {
		text := b.get(path)
		for _, id := range messageIDs(text) {
			seen[id] = true
		}
		pages++
		path = ""
		if m := regexp.MustCompile(`<a href="([^"]+)" rel="next">`).FindStringSubmatch(text); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(seen) != 120 || pages != 3 {
		t.Errorf("%d messages on %d pages", len(seen), pages)
	}
	for query, want := range map[string]int{"q=BOX77@in": 1, "q=subject-78-": 1, "q=%3C79@sender.example%3E": 1, "q=ann@sender": 50, "outcome=refused": 1, "outcome=dead": 0, "q=nobody@else": 1, "before=3": 2, "before=x": 50} {
		if n := len(messageIDs(b.get("/?" + query))); n != want {
			t.Errorf("%s: %d rows, want %d", query, n, want)
		}
	}
}

func TestWhoPollsIsToldOfNoChange(t *testing.T) {
	b := newBed(t)
	b.send("box@in.example", b.mail("x", "", "x"))
	first, _ := b.ask("GET", "/")
	known := func(r *http.Request) { r.Header.Set("If-None-Match", first.Header.Get("ETag")) }
	if answer, body := b.ask("GET", "/", known); answer.StatusCode != 304 || body != "" {
		t.Errorf("unchanged: %d", answer.StatusCode)
	}
	b.send("box@in.example", b.mail("y", "", "y"))
	if answer, _ := b.ask("GET", "/", known); answer.StatusCode != 200 {
		t.Errorf("changed: %d", answer.StatusCode)
	}
}

func TestTheOverviewTellsTheCircuit(t *testing.T) {
	b := newBed(t)
	b.answer(503)
	for range 5 {
		b.send("direct@in.example", b.mail("x", "", "x"))
	}
	text := b.get("/sinks")
	for _, want := range []string{`circuit-open">open</span>`, "attempts in a row found the sink unreachable", "5 failed", "HTTP 503", "support&#43;{ticket}@in.example", "when the subject matches"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	if reply := b.send("direct@in.example", b.mail("x", "", "x")); reply[:9] != "451 4.4.1" {
		t.Errorf("reply %s", reply)
	}
	if text := b.get("/?q=direct@in.example"); !strings.Contains(text, "451 4.4.1") {
		t.Errorf("the refusal at RCPT is not listed:\n%s", text)
	}
}

func TestASourceIsCutAndMadeVisible(t *testing.T) {
	b := newBed(t)
	dead := b.dead(b.mail("long", "", "bell\x07 and \xff and \u202e\r\n"+strings.Repeat(strings.Repeat("y", 70)+"\r\n", 10_000)))
	text := b.get("/spool/" + dead + "?view=source")
	for _, want := range []string{`bell\u{7} and \xff and \u{202e}`, "Only the beginning is shown."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if len(text) > 300<<10 {
		t.Errorf("%d octets", len(text))
	}
	if text := b.get("/spool/" + dead); !strings.Contains(text, "&#34;schema&#34;: &#34;mxhook.v1&#34;") || len(text) > 2<<20 {
		t.Errorf("the payload has %d octets", len(text))
	}
}
