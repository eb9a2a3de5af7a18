package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mxhook/cmd/internal/control"
	"mxhook/cmd/internal/recent"
	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// How much is shown of one message; the download has all of it.
const (
	maxSource  = 256 << 10
	maxPayload = 256 << 10
)

// eventPage is one event of the spool.
type eventPage struct {
	itemRow
	Subject string
	Problem string
	View    string // payload, source, html or record
	Text    string
	Cut     bool
	HasHTML bool
	Message string // the transaction that the page remembers, ""
}

func (p *Page) event(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	shown, ok := p.show(w, r, id)
	if !ok {
		return
	}
	body := eventPage{itemRow: rowOf(shown.Item), Subject: recent.Clean(shown.Subject, 300), Problem: shown.Problem, View: r.URL.Query().Get("view"), Message: p.config.Recent.ByEvent(shown.Event, shown.Sink)}
	var err error
	switch body.View {
	case "source":
		body.Text, body.Cut, err = p.source(r, id)
	case "record":
		body.Text = visible(string(shown.Record))
	case "html":
		body.HasHTML, err = p.hasHTML(r, id)
	default:
		body.View = "payload"
		body.Text, body.Cut, err = p.payload(r, id)
	}
	if err != nil {
		body.Problem = err.Error()
	}
	p.render(w, r, http.StatusOK, "event", "spool", "Event "+shown.ID, body)
}

// show finds an event, or answers that there is none.
func (p *Page) show(w http.ResponseWriter, r *http.Request, id string) (control.Shown, bool) {
	_, sink := control.SplitName(id)
	if sink != "" && control.IsName(id) {
		list, err := p.config.Bridge.Show(r.Context(), id)
		if err == nil && len(list) == 1 {
			return list[0], true
		}
		if err != nil && !notFound(err) {
			p.problem(w, r, http.StatusInternalServerError, "The event can't be read: "+err.Error())
			return control.Shown{}, false
		}
	}
	p.problem(w, r, http.StatusNotFound, "The spool has no such event any more: it was delivered, or dropped.")
	return control.Shown{}, false
}

// made makes an event again for one request; at most two at once, since each may hold a
// message in memory.
func (p *Page) made(r *http.Request, id string, use func(*sinks.Event) error) error {
	select {
	case p.heavy <- struct{}{}:
		defer func() { <-p.heavy }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	e, err := p.config.Bridge.Event(id)
	if err != nil {
		return err
	}
	defer e.Data.Release()
	return use(e)
}

// payload returns the native payload, set out for reading, without the attachments'
// contents.
func (p *Page) payload(r *http.Request, id string) (text string, cut bool, err error) {
	err = p.made(r, id, func(e *sinks.Event) error {
		f := payload.NativeFormat(payload.Include{Attachments: "metadata", Raw: "none", HTML: true})
		encoded, err := f.Encode(r.Context(), e)
		if err != nil {
			return errors.New("the payload can't be made")
		}
		request, err := encoded.Request(payload.Attempt{})
		if err != nil {
			return errors.New("the payload can't be made")
		}
		body := request.Body.Open()
		defer body.Close()
		raw, err := io.ReadAll(io.LimitReader(body, 8<<20))
		if err != nil {
			return errors.New("the payload can't be made")
		}
		var b bytes.Buffer
		if json.Indent(&b, raw, "", "  ") != nil { // it was cut
			b.Reset()
			b.Write(raw)
		}
		text, cut = cutText(b.Bytes(), maxPayload)
		return nil
	})
	return text, cut, err
}

// source returns the beginning of the message as it was received.
func (p *Page) source(r *http.Request, id string) (text string, cut bool, err error) {
	b := &bounded{max: maxSource + 1}
	err = p.config.Bridge.Raw(r.Context(), id, b)
	if err != nil && !b.full() {
		return "", false, err
	}
	text, cut = cutText(b.Bytes(), maxSource)
	return text, cut, nil
}

// bounded takes the first octets and then breaks off.
type bounded struct {
	bytes.Buffer
	max int
}

func (b *bounded) full() bool { return b.Len() >= b.max }

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.max-b.Len())
	b.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errors.New("that is enough")
	}
	return n, nil
}

func cutText(b []byte, max int) (string, bool) {
	cut := len(b) > max
	return visible(string(b[:min(len(b), max)])), cut
}

// visible returns text of several lines with what can't be seen, or turns the direction of
// what follows, written out as \u{…}; octets that are no UTF-8 as \x….
func visible(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i, w := 0, 0; i < len(s); i += w {
		var r rune
		r, w = utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\r' && i+1 < len(s) && s[i+1] == '\n':
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == utf8.RuneError && w == 1:
			b.WriteString(`\x` + hexOf(rune(s[i]), 2))
		case r != ' ' && !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r):
			b.WriteString(`\u{` + hexOf(r, 1) + `}`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hexOf(r rune, least int) string {
	const digits = "0123456789abcdef"
	var s string
	for r > 0 || len(s) < least {
		s = string(digits[r&15]) + s
		r >>= 4
	}
	return s
}

// download gives the whole message as a file: no browser shows it.
func (p *Page) download(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := p.show(w, r, id); !ok {
		return
	}
	event, _ := control.SplitName(id)
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+event+`.eml"`)
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Minute)) // for slow lines
	if err := p.config.Bridge.Raw(r.Context(), id, w); err != nil {
		panic(http.ErrAbortHandler) // the client sees that it is not whole
	}
}
