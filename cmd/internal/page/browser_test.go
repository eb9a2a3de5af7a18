package page_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// canary counts who connects to it: nobody may.
func canary(t *testing.T) (address string, visits *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	visits = &atomic.Int32{}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			c.Close()
		}
	}()
	return ln.Addr().String(), visits
}

// hostile is HTML that tries to run, to load, to connect and to lead away; %[1]s is the
// canary.
const hostile = `<!doctype html><html><head><title>x</title>
<base href="http://%[1]s/base/"><meta http-equiv="refresh" content="0;url=http://%[1]s/refresh">
<link rel="stylesheet" href="http://%[1]s/style.css"><link rel="preconnect" href="http://%[1]s"><link rel="dns-prefetch" href="//canary.test">
<link rel="prefetch" href="http://%[1]s/prefetch"><link rel="preload" as="image" href="http://%[1]s/preload"><link rel="icon" href="http://%[1]s/icon"><link rel="modulepreload" href="http://%[1]s/m.js">
<style>@import url("http://%[1]s/import.css"); @font-face{font-family:f;src:url(http://%[1]s/font.woff)} body{font-family:f;background:url(http://%[1]s/bg.png)} p::after{content:url(http://%[1]s/after.png)}</style>
<script>top.pwned = 1; fetch("http://%[1]s/fetch"); alert(1)</script><script src="http://%[1]s/script.js"></script></head>
<body onload="top.pwned=2; alert(2)" background="http://%[1]s/background.png">
<p>Hello from a mail</p><table width="100000"><tr>%[2]s</tr></table><img src="http://%[1]s/pixel.gif" srcset="http://%[1]s/set.gif 2x" onerror="top.pwned=3;alert(3)"><img src=x onerror=alert(4)>
<svg><title><link rel="preconnect" href="http://%[1]s"><link rel="preconnect" href="http://canary.test"><meta http-equiv="refresh" content="0;url=http://%[1]s/hidden"></title></svg><svg onload="alert(5)"><script>alert(6)</script><image href="http://%[1]s/svg.png"/><use href="http://%[1]s/use.svg#x"/><a xlink:href="javascript:alert(7)"><text y="20">svg</text></a></svg>
<a id="script" href="javascript:top.pwned=8;alert(8)">script</a> <a id="away" href="http://%[1]s/away" ping="http://%[1]s/ping">away</a> <a href="http://%[1]s/top" target="_top">top</a> <a href="http://%[1]s/new" target="_blank">new</a>
<iframe src="http://%[1]s/frame"></iframe><iframe srcdoc="<script>parent.parent.pwned=9</script>"></iframe><object data="http://%[1]s/object"></object><embed src="http://%[1]s/embed"><video src="http://%[1]s/video" poster="http://%[1]s/poster" autoplay></video><audio src="http://%[1]s/audio" autoplay></audio>
<form action="http://%[1]s/form" method="post"><input name="a"><button autofocus onfocus="alert(10)">send</button></form><input type="image" src="http://%[1]s/input.png"><marquee onstart="alert(11)">m</marquee><details open ontoggle="alert(12)">d</details>
<math><mtext></p><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(13)&gt;"></math><noscript><p title="</noscript><img src=http://%[1]s/noscript onerror=alert(14)>"></noscript>
<div style="position:fixed;inset:0;z-index:99999;width:99999px">` + "\u202e\u2066" + `cover</div></body></html>`

// hostileMail is a message with it; its fields are hostile, too.
func (b *bed) hostileMail(address string) string {
	b.t.Helper()
	subject := `</bdi></a><script>alert("s")</script><img src=http://` + address + `/subject onerror=alert(1)> "onmouseover=alert(2) ` + "\u202e\u2066 =?utf-8?q?=E2=80=AE=3Cscript=3E?= " + strings.Repeat("W", 400)
	html := fmt.Sprintf(hostile, address, strings.Repeat("<td>"+strings.Repeat("wide", 50)+"</td>", 500))
	return b.mail(subject, "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nReply-To: \"</script><script>alert(9)</script>\" <x@sender.example>\r\n", html)
}

// TestBrowser looks at the page as a person does, in one Chromium.
func TestBrowser(t *testing.T) {
	address, visits := canary(t)
	c := chromium(t, "--host-resolver-rules=MAP canary.test "+address+", MAP rebound.test 127.0.0.1")
	t.Run("hostile mail runs and loads nothing", func(t *testing.T) { hostileMailRunsAndLoadsNothing(t, c, address, visits) })
	t.Run("list, detail and live update", func(t *testing.T) { listDetailAndLiveUpdate(t, c) })
	t.Run("replay by click, and the keyboard alone", func(t *testing.T) { replayByClickAndKeyboardAlone(t, c) })
	t.Run("replay without script", func(t *testing.T) { replayWithoutScript(t, c) })
	t.Run("other sites are refused", func(t *testing.T) { otherSitesAreRefused(t, c) })
	t.Run("log in and out", func(t *testing.T) { logInAndOut(t, c) })
	t.Run("phone, light and dark", func(t *testing.T) { phoneLightAndDark(t, c) })
}

func hostileMailRunsAndLoadsNothing(t *testing.T, c *browser, address string, visits *atomic.Int32) {
	b := newBed(t)
	id := b.dead(b.hostileMail(address))
	b.sendFrom(`"<script>alert(1)</script>"@sender.example`, `"<img/src=x/onerror=alert(2)>"@in.example`, b.hostileMail(address))
	tab := c.open(t)
	pages := []string{"/", "/?q=%3Cscript%3Ealert(1)%3C/script%3E", "/spool", "/spool/" + id, "/spool/" + id + "?view=source", "/spool/" + id + "?view=record"}
	for _, m := range messageIDs(b.get("/")) {
		pages = append(pages, "/messages/"+m)
	}
	for _, path := range pages {
		tab.visit(b.home + path)
		for _, width := range []int{1200, 360} {
			tab.size(width, 800, "light")
			tab.noOverflow(path)
		}
	}
	tab.shoot("hostile-phone")
	tab.size(1200, 900, "light")
	tab.visit(b.home + "/spool/" + id + "?view=html")
	tab.wait(`document.querySelector("iframe.mail") !== null`)
	tab.waitResponse("/frame")
	// What is behind the click on each link of the frame: nothing. The frame lies below.
	at := tab.eval(`(() => { const f = document.querySelector("iframe.mail"); f.scrollIntoView(); const r = f.getBoundingClientRect(); return [r.x, r.y, r.width, r.height] })()`).([]any)
	for y := 20.0; y < 300; y += 14 {
		for _, x := range []float64{30, 90, 150} {
			for _, kind := range []string{"mousePressed", "mouseReleased"} {
				tab.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at[0].(float64) + x, "y": at[1].(float64) + y, "button": "left", "clickCount": 1})
			}
		}
	}
	tab.shoot("hostile-html")
	if tab.eval(`String(window.pwned) + location.pathname`) != "undefined/spool/"+id {
		t.Errorf("the page was led away, or a script ran: %v", tab.eval(`String(window.pwned) + location.href`))
	}
	tab.noOverflow("html")
	log := tab.seen()
	if log.dialogs > 0 || len(log.problems) > 0 {
		t.Errorf("%d dialogs, %q", log.dialogs, log.problems)
	}
	loaded := 0
	for request, url := range log.requests {
		if strings.HasPrefix(url, b.home+"/") {
			loaded++
			continue
		}
		if !strings.HasPrefix(url, "about:") && !strings.HasPrefix(url, "data:") && log.blocked[request] == "" {
			t.Errorf("the browser asked for %s", url)
		}
	}
	for _, url := range log.responses {
		if !strings.HasPrefix(url, b.home+"/") && !strings.HasPrefix(url, "about:") && !strings.HasPrefix(url, "data:") { // the browser's own buttons are data
			t.Errorf("%s answered", url)
		}
	}
	if loaded < len(pages) || !slices.ContainsFunc(log.responses, func(u string) bool { return strings.HasSuffix(u, "/frame") }) {
		t.Errorf("the log has only %d requests of the page: %q", loaded, log.responses)
	}
	if n := visits.Load(); n > 0 {
		t.Errorf("the canary had %d visits", n)
	}
}

// messageIDs returns the ids of the messages of a list.
func messageIDs(page string) (ids []string) {
	for _, part := range strings.Split(page, `href="/messages/`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		ids = append(ids, id)
	}
	return ids
}

// noOverflow wants the document to be no wider than the window.
func (t *tab) noOverflow(path string) {
	t.t.Helper()
	w := t.eval(`[document.documentElement.scrollWidth, document.documentElement.clientWidth, [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".hidden, .rows, pre")).map(e => e.tagName + "." + e.className).slice(0, 5).join(" ")]`).([]any)
	if w[0].(float64) > w[1].(float64) {
		t.t.Errorf("%s is %v wide in a window of %v: %v", path, w[0], w[1], w[2])
	}
}

// frameText returns the document of the frame that is a target of its own.
func (t *tab) frameText() string {
	t.t.Helper()
	t.b.mu.Lock()
	session := ""
	for s, other := range t.b.tabs {
		if other.log == t.log && s != t.session {
			session = s
		}
	}
	t.b.mu.Unlock()
	var root struct{ Root struct{ NodeID int } }
	t.must(session, "DOM.getDocument", nil, &root)
	var html struct{ OuterHTML string }
	t.must(session, "DOM.getOuterHTML", map[string]any{"nodeId": root.Root.NodeID}, &html)
	return html.OuterHTML
}

// waitResponse waits until something ending in suffix was answered.
func (t *tab) waitResponse(suffix string) {
	t.t.Helper()
	timeout := time.After(patience)
	for !slices.ContainsFunc(t.seen().responses, func(u string) bool { return strings.HasSuffix(u, suffix) }) {
		select {
		case <-t.b.news:
		case <-timeout:
			t.t.Fatalf("nothing ending in %s was loaded", suffix)
		}
	}
}

func listDetailAndLiveUpdate(t *testing.T, c *browser) {
	b := newBed(t)
	b.send("box@in.example", b.mail("The first", "", "Hello.\r\n"))
	tab := c.open(t)
	tab.size(1200, 800, "light")
	tab.visit(b.home + "/")
	tab.wait(`document.querySelectorAll(".row").length === 1`)
	if got := tab.eval(`document.querySelector(".row").innerText`).(string); !strings.Contains(got, "The first") || !strings.Contains(got, "delivered") || !strings.Contains(got, "box@in.example") {
		t.Errorf("the row is %q", got)
	}
	tab.eval(`document.querySelector(".cell-what a").focus(); window.kept = 1`)
	b.send("box@in.example", b.mail("The second", "", "Hello.\r\n"))
	tab.wait(`document.querySelectorAll(".row").length === 2 && document.querySelector(".cell-what").innerText.includes("The second")`)
	if got := tab.eval(`[window.kept, document.activeElement.innerText, document.getElementById("news").textContent].join("|")`); got != "1|The first|1 new message" {
		t.Errorf("after the live update: %v", got)
	}
	tab.key("Enter", 13, "\r")
	tab.wait(`location.pathname.startsWith("/messages/") && document.readyState === "complete"`)
	text := tab.eval(`document.querySelector("main").innerText`).(string)
	for _, want := range []string{"From is verified", "DMARC passes for sender.example by SPF", "its pattern @in.example matches", "Passed over: route invoices wants that the subject", "accepted", "the sender was told", "250 2.0.0 OK msg_"} {
		if !strings.Contains(text, want) {
			t.Errorf("the message does not say %q:\n%s", want, text)
		}
	}
	// The search, and a message that the spool delivers while somebody looks.
	b.answer(503)
	b.send("support+9@in.example", b.mail("For later", "", "Hello.\r\n"))
	event := <-b.got
	tab.visit(b.home + "/")
	tab.eval(`document.getElementById("q").focus()`)
	tab.do("Input.insertText", map[string]any{"text": "SUPPORT+9@"})
	tab.key("Enter", 13, "\r")
	tab.wait(`location.search === "?q=SUPPORT%2B9%40" && document.querySelectorAll(".row").length === 1`)
	tab.eval(`document.querySelector(".cell-what a").click()`)
	tab.wait(`document.querySelector("#live-head .state").innerText.includes("waiting") && document.querySelector("#live-steps").innerText.includes("HTTP 503")`)
	tab.eval(`window.kept = 2`)
	b.answer(200)
	b.ask("POST", "/spool/replay", form(url.Values{"id": {event + ".app"}}), func(r *http.Request) { r.Header.Set("Authorization", "Bearer the-token") })
	tab.wait(`document.querySelector("#live-head .state").innerText.includes("delivered") && document.querySelector("#live-steps").innerText.includes("HTTP 200") && window.kept === 2`)
	if log := tab.seen(); len(log.problems) > 0 {
		t.Errorf("%q", log.problems)
	}
}

func replayByClickAndKeyboardAlone(t *testing.T, c *browser) {
	b := newBed(t)
	id := b.dead(b.mail("Refused", "", "Hello.\r\n"))
	tab := c.open(t)
	tab.size(1200, 800, "light")
	tab.visit(b.home + "/spool")
	b.answer(200)
	tab.eval(fmt.Sprintf(`document.getElementById("r-%s").click()`, id))
	tab.wait(`document.querySelector(".notice.good")?.innerText === "1 event put back to work."`)
	<-b.got
	tab.visit(b.home + "/spool")
	tab.wait(`document.querySelector(".empty") !== null`) // live
	tab.visit(b.home + "/")
	tab.wait(`document.querySelector(".state").innerText.includes("delivered")`)

	// By keyboard: skip link, search, the event, drop and confirm.
	second := b.dead(b.mail("Refused again", "", "Hello.\r\n"))
	tab.visit(b.home + "/spool")
	tab.key("Tab", 9, "")
	if got := tab.eval(`document.activeElement.innerText`); got != "Skip to content" {
		t.Errorf("the first stop is %v", got)
	}
	tab.key("Enter", 13, "\r")
	tab.wait(`document.activeElement.id === "main"`)
	tab.until(`document.activeElement.id === "q"`)
	for _, c := range "support+7" {
		tab.do("Input.insertText", map[string]any{"text": string(c)})
	}
	tab.key("Enter", 13, "\r")
	tab.wait(`location.search.includes("q=support%2B7") && document.readyState === "complete"`)
	tab.until(fmt.Sprintf(`document.activeElement.id === "s-%s"`, second))
	if got := tab.eval(`getComputedStyle(document.activeElement).outlineStyle`); got != "solid" {
		t.Errorf("the focus is not visible: %v", got)
	}
	tab.key("Enter", 13, "\r")
	tab.wait(`location.pathname.startsWith("/spool/msg_") && document.readyState === "complete"`)
	tab.until(`document.activeElement.innerText === "Drop…"`)
	tab.key("Enter", 13, "\r")
	tab.wait(`document.querySelector("h1").innerText === "Drop this event?"`)
	tab.until(`document.activeElement.innerText === "Drop"`)
	tab.key("Enter", 13, "\r")
	tab.wait(`document.querySelector(".notice.good")?.innerText === "1 event dropped."`)
	if log := tab.seen(); len(log.problems) > 0 {
		t.Errorf("%q", log.problems)
	}
}

// until presses Tab until an expression holds.
func (t *tab) until(expression string) {
	t.t.Helper()
	for range 60 {
		if t.eval(expression) == true {
			return
		}
		t.key("Tab", 9, "")
	}
	t.t.Fatalf("by Tab nothing is reached where %s", expression)
}

func phoneLightAndDark(t *testing.T, c *browser) {
	b := newBed(t)
	dead := b.dead(b.mail("Rechnung 4711: bitte bis Freitag prüfen", "MIME-Version: 1.0\r\nContent-Type: text/html\r\n", "<h1>Invoice</h1><p>Please pay <b>42</b> EUR.</p><table border=1><tr><td>a<td>b</table>"))
	b.send("box@in.example else@in.example third@in.example fourth@in.example", b.mail("Invoice for November, with a subject that is long enough to need more than one line on a phone", "", "Hello.\r\n"))
	b.sendFrom("a-very-long-address-that-never-ends-and-has-no-place-to-break@a-long-sub-domain.of-a-long-domain.example", "box@in.example", b.mail("(no verdict) 你好 שלום", "", "Hello.\r\n"))
	b.send("nobody@else.example", "")
	b.answer(503)
	b.send("direct@in.example", b.mail("The application is down", "", "Hello.\r\n"))
	tab := c.open(t)
	ids := messageIDs(b.get("/"))
	pages := map[string]string{"messages": "/", "message": "/messages/" + ids[2], "deferred": "/messages/" + ids[0], "refused": "/messages/" + ids[1], "spool": "/spool",
		"event": "/spool/" + dead, "html": "/spool/" + dead + "?view=html", "source": "/spool/" + dead + "?view=source", "sinks": "/sinks", "missing": "/messages/none", "empty": "/?q=nothing-like-this"}
	looks := []struct {
		name, scheme string
		width        int
	}{{"phone", "light", 360}, {"phone-dark", "dark", 360}, {"light", "light", 1200}, {"dark", "dark", 1200}}
	for name, path := range pages {
		tab.visit(b.home + path)
		if name == "html" {
			tab.waitResponse("/frame")
			if text := tab.frameText(); !strings.Contains(text, "<h1>Invoice</h1>") {
				t.Errorf("the frame has %q", text)
			}
			tab.eval(`document.querySelector("iframe.mail").scrollIntoView()`)
		}
		for _, look := range looks {
			tab.size(look.width, 800, look.scheme)
			tab.noOverflow(look.name + " " + path)
			tab.shoot(name + "-" + look.name)
			back := tab.eval(`getComputedStyle(document.body).backgroundColor`)
			if dark := back == "rgb(18, 22, 27)"; dark != (look.scheme == "dark") {
				t.Errorf("%s: the background is %v", look.name, back)
			}
			if pale := tab.eval(paleText).([]any); len(pale) > 0 {
				t.Errorf("%s %s: text is hard to read: %v", look.name, path, pale)
			}
			small := tab.eval(`[...document.querySelectorAll("button, .filter a, .top nav a")].filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height < 24 }).length`)
			if small != 0.0 {
				t.Errorf("%s %s: %v targets are too small for a finger", look.name, path, small)
			}
		}
	}
}
