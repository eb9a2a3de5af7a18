package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mxhook/cmd/internal/control"
	"mxhook/cmd/internal/recent"
	"mxhook/sinks"
	"mxhook/sinks/spool"
)

// spoolPage is what the spool holds.
type spoolPage struct {
	Query, State  string
	Items         []itemRow
	Dead, Waiting int // that the query takes
	Next, Former  string
	From, To, All int
	Done          string // what the last click came to
}

// itemRow is an event as it is listed.
type itemRow struct {
	spool.Item
	Since      time.Time
	Replayable bool
}

func rowOf(i spool.Item) itemRow {
	r := itemRow{Item: i, Since: i.SpooledAt, Replayable: !strings.HasPrefix(i.Sink, sinks.NoSink)}
	if i.State == spool.Dead {
		r.Since = i.BuriedAt
	}
	r.ReversePath, r.MessageID, r.Detail, r.Reply = recent.Clean(i.ReversePath, 320), recent.Clean(i.MessageID, 300), recent.Clean(i.Detail, 300), recent.Clean(i.Reply, 500)
	r.Recipients = nil
	for _, to := range i.Recipients {
		r.Recipients = append(r.Recipients, recent.Clean(to, 320))
	}
	return r
}

func (p *Page) spool(w http.ResponseWriter, r *http.Request) {
	items, err := p.list(r.Context())
	if err != nil {
		p.problem(w, r, http.StatusInternalServerError, "The spool can't be listed: "+err.Error())
		return
	}
	form := r.URL.Query()
	body := spoolPage{Query: recent.Clean(form.Get("q"), 200), Done: doneText(form)}
	if s := spool.State(form.Get("state")); s == spool.Dead || s == spool.Waiting {
		body.State = string(s)
	}
	text := strings.ToLower(strings.TrimSpace(body.Query))
	var found []spool.Item
	for i := len(items) - 1; i >= 0; i-- { // the newest first
		if item := items[i]; takes(item, text) {
			if item.State == spool.Dead {
				body.Dead++
			} else {
				body.Waiting++
			}
			if body.State == "" || body.State == string(item.State) {
				found = append(found, item)
			}
		}
	}
	body.page(found, form)
	p.render(w, r, http.StatusOK, "spool", "spool", "Spool", body)
}

// page cuts one page out of what was found.
func (b *spoolPage) page(found []spool.Item, form url.Values) {
	n, _ := strconv.Atoi(form.Get("page"))
	n = min(max(n, 1), max(1, (len(found)+perPage-1)/perPage))
	link := func(n int) string {
		q := url.Values{"page": {strconv.Itoa(n)}}
		if b.Query != "" {
			q.Set("q", b.Query)
		}
		if b.State != "" {
			q.Set("state", b.State)
		}
		return "/spool?" + q.Encode()
	}
	from, to := (n-1)*perPage, min(n*perPage, len(found))
	for _, i := range found[from:to] {
		b.Items = append(b.Items, rowOf(i))
	}
	b.From, b.To, b.All = from+1, to, len(found)
	if from > 0 {
		b.Former = link(n - 1)
	}
	if to < len(found) {
		b.Next = link(n + 1)
	}
}

// takes tells whether an event has the text in it.
func takes(i spool.Item, text string) bool {
	if text == "" {
		return true
	}
	for _, s := range append([]string{i.ID, i.Sink, i.Route, i.ReversePath, i.MessageID, i.Detail}, i.Recipients...) {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}

// doneText tells what a click came to. Of the address only numbers and known words are
// believed.
func doneText(form url.Values) string {
	verb := map[string]string{"replayed": "put back to work", "dropped": "dropped"}[form.Get("done")]
	if verb == "" {
		return ""
	}
	n, _ := strconv.Atoi(form.Get("n"))
	failed, _ := strconv.Atoi(form.Get("failed"))
	text := fmt.Sprintf("%s %s.", events(n), verb)
	if failed > 0 {
		text += fmt.Sprintf(" %s could not be: %s", events(failed), "the log says why.")
	}
	return text
}

func events(n int) string {
	if n == 1 {
		return "1 event"
	}
	return strconv.Itoa(n) + " events"
}

func (p *Page) replay(w http.ResponseWriter, r *http.Request) {
	p.change(w, r, "replayed", p.config.Bridge.Replay)
}

func (p *Page) drop(w http.ResponseWriter, r *http.Request) {
	p.change(w, r, "dropped", p.config.Bridge.Drop)
}

// confirmPage asks before something is done to many, or for good.
type confirmPage struct {
	Verb, Action string
	Names        []string
	All          bool
	State        string
	Count        int
	Back         string
}

// change does what a form asks: to the events that it names, or to all of a state. To
// drop, and whatever is done to all, is confirmed first.
func (p *Page) change(w http.ResponseWriter, r *http.Request, done string, do func(context.Context, control.Selection) (control.Changed, error)) {
	s := control.Selection{Names: r.PostForm["id"]}
	if r.PostForm.Get("all") == "yes" {
		s = control.Selection{All: true, Filter: control.Filter{State: spool.State(r.PostForm.Get("state"))}}
	}
	for _, n := range s.Names {
		if !control.IsName(n) {
			p.problem(w, r, http.StatusBadRequest, "That is no id of an event.")
			return
		}
	}
	if err := s.Check(); err != nil {
		p.problem(w, r, http.StatusBadRequest, "That can't be done: "+err.Error()+".")
		return
	}
	if (s.All || done == "dropped") && r.PostForm.Get("confirmed") != "yes" {
		p.confirm(w, r, done, s)
		return
	}
	http.NewResponseController(w).SetWriteDeadline(time.Time{}) // many events take their time
	changed, err := do(r.Context(), s)
	p.spooled.forget()
	if err != nil {
		p.problem(w, r, http.StatusInternalServerError, "It broke off: "+err.Error())
		return
	}
	if len(s.Names) == 1 && len(changed.Failed) == 1 {
		p.problem(w, r, http.StatusConflict, "The event could not be "+done+": "+changed.Failed[0].Error)
		return
	}
	q := url.Values{"done": {done}, "n": {strconv.Itoa(changed.Dead + changed.Waiting)}}
	if n := len(changed.Failed); n > 0 {
		q.Set("failed", strconv.Itoa(n))
	}
	http.Redirect(w, r, "/spool?"+q.Encode(), http.StatusSeeOther)
}

func (p *Page) confirm(w http.ResponseWriter, r *http.Request, done string, s control.Selection) {
	c := confirmPage{Verb: map[string]string{"replayed": "Replay", "dropped": "Drop"}[done], Names: s.Names, All: s.All, State: string(s.Filter.State), Count: len(s.Names)}
	c.Action = "/spool/" + strings.ToLower(c.Verb)
	c.Back = "/spool"
	if s.All {
		items, err := p.list(r.Context())
		if err != nil {
			p.problem(w, r, http.StatusInternalServerError, "The spool can't be listed: "+err.Error())
			return
		}
		for _, i := range items {
			if s.Filter.Takes(i) {
				c.Count++
			}
		}
	} else if len(s.Names) == 1 {
		c.Back = "/spool/" + s.Names[0]
	}
	p.render(w, r, http.StatusOK, "confirm", "spool", c.Verb+" "+events(c.Count), c)
}

// notFound tells whether an error says that the spool has no such event.
func notFound(err error) bool {
	var e *control.Error
	var u *spool.UnknownError
	return errors.As(err, &u) || errors.As(err, &e) && e.Code == http.StatusNotFound
}
