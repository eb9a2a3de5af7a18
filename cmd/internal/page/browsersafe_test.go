package page_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// paleText finds texts whose contrast to what is behind them is less than 4.5 (WCAG 2.2,
// 1.4.3).
const paleText = `(() => {
	const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return c.startsWith("color(") ? [m[0]*255, m[1]*255, m[2]*255, m[3] ?? 1] : [m[0], m[1], m[2], m[3] ?? 1] };
	const light = c => { const f = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; return .2126 * f(c[0]) + .7152 * f(c[1]) + .0722 * f(c[2]) };
	const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c } return [255, 255, 255, 1] };
	const bad = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest(".hidden, .skip")) continue;
		const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) bad.add(e.tagName + "." + e.className + " " + ratio.toFixed(1) + " " + e.textContent.trim().slice(0, 20));
	}
	return [...bad].slice(0, 5) })()`

// otherSitesAreRefused lets a site of somebody else use the operator's browser.
func otherSitesAreRefused(t *testing.T, c *browser) {
	b := newBed(t)
	dead := b.dead(b.mail("x", "", "x"))
	token := tokenOf(t, b.get("/spool"))
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<!doctype html><form method="post" action="%s/spool/drop"><input name="id" value="%s"><input name="token" value="%s"><input name="confirmed" value="yes"></form>
			<iframe src="%s/spool/%s"></iframe>`, b.home, dead, token, b.home, dead)
	}))
	defer evil.Close()
	tab := c.open(t)
	for _, site := range []string{evil.URL, strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)} {
		tab.visit(site + "/")
		if got := tab.eval(`fetch("` + b.home + `/").then(() => "read", e => "refused")`); got != "refused" {
			t.Errorf("%s: the page is %v by another site", site, got)
		}
		tab.eval(`document.forms[0].submit()`)
		tab.wait(`document.body.innerText.includes("this comes from another site: nothing was done")`)
	}
	// A name that its owner points here.
	_, port, _ := strings.Cut(strings.TrimPrefix(b.home, "http://"), ":")
	tab.visit("http://rebound.test:" + port + "/")
	if got := tab.eval(`document.body.innerText`).(string); !strings.Contains(got, "the Host must be the address or localhost") {
		t.Errorf("by a foreign name the page says %.200q", got)
	}
	if answer, _ := b.ask("GET", "/spool/"+dead); answer.StatusCode != 200 {
		t.Error("the event is gone")
	}
}

// logInAndOut is what an operator does off loopback, with the keyboard.
func logInAndOut(t *testing.T, c *browser) {
	b := newBedAt(t, "0.0.0.0:0")
	_, port, _ := strings.Cut(b.home, "]:")
	b.home = "http://127.0.0.1:" + port
	b.send("box@in.example", b.mail("Behind the token", "", "Hello.\r\n"))
	tab := c.open(t)
	tab.size(360, 800, "light")
	tab.do("Page.navigate", map[string]any{"url": b.home + "/spool"})
	tab.wait(`location.pathname === "/login" && document.activeElement.id === "password"`)
	tab.noOverflow("/login")
	tab.do("Input.insertText", map[string]any{"text": "wrong"})
	tab.key("Enter", 13, "\r")
	tab.wait(`document.querySelector("[role=alert]")?.innerText === "That is not the token." && document.activeElement.id === "password"`)
	tab.shoot("login-phone")
	tab.do("Input.insertText", map[string]any{"text": "the-token"})
	tab.key("Enter", 13, "\r")
	tab.wait(`location.pathname === "/" && document.body.innerText.includes("Behind the token")`)
	tab.noOverflow("/ with a session")
	if got := tab.eval(`document.cookie`); got != "" {
		t.Errorf("a script can read the cookie %v", got)
	}
	tab.shoot("session-phone")
	tab.until(`document.activeElement.innerText === "Log out"`)
	tab.key("Enter", 13, "\r")
	tab.wait(`location.pathname === "/login"`)
	tab.do("Page.navigate", map[string]any{"url": b.home + "/?q=1"})
	tab.wait(`location.pathname === "/login"`)
}

// replayWithoutScript is what is left where no script runs: all of it, but for the update.
func replayWithoutScript(t *testing.T, c *browser) {
	b := newBed(t)
	dead := b.dead(b.mail("No script", "", "x"))
	b.answer(200)
	tab := c.open(t)
	tab.do("Emulation.setScriptExecutionDisabled", map[string]any{"value": true})
	tab.do("Page.navigate", map[string]any{"url": b.home + "/spool"})
	tab.waitResponse("/static/page.css")
	var found struct{ NodeID int }
	for began := time.Now(); found.NodeID == 0 && time.Since(began) < patience; {
		var root struct{ Root struct{ NodeID int } }
		tab.must(tab.session, "DOM.getDocument", nil, &root)
		raw, err := tab.b.send(tab.session, "DOM.querySelector", map[string]any{"nodeId": root.Root.NodeID, "selector": `[id="r-` + dead + `"]`})
		if err == nil { // not while the document is another one by then
			json.Unmarshal(raw, &found)
		}
	}
	tab.do("DOM.focus", map[string]any{"nodeId": found.NodeID})
	tab.key("Enter", 13, "\r")
	if id := <-b.got; id+".app" != dead {
		t.Errorf("%s was delivered, want %s", id, dead)
	}
	b.until("/spool", "The spool is empty")
}
