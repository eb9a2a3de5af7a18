// Command go receives mail from mxhook with nothing but the standard library: it checks
// the signature, keeps each event once, and answers when it is on disk.
//
//	MXHOOK_SECRET=whsec_… go run ./examples/receivers/go
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// largest is how many octets of a request are read: 25 MiB of mail, a third more as
// base64, and its text.
const largest = 64 << 20

// event is what this program needs of the payload; `mxhook schema` has the whole.
type event struct {
	ID       string `json:"id"`
	Envelope struct {
		Recipients []struct {
			Address string `json:"address"`
		} `json:"recipients"`
	} `json:"envelope"`
	Authentication struct {
		FromVerified bool `json:"from_verified"`
	} `json:"authentication"`
	Message struct {
		Subject string `json:"subject"`
		From    []struct {
			Address string `json:"address"`
		} `json:"from"`
		Text        string       `json:"text"`
		Attachments []attachment `json:"attachments"`
	} `json:"message"`
}

type attachment struct {
	Filename string `json:"filename"` // a stranger's word: shown, never a path
	Content  string `json:"content"`  // base64
}

type receiver struct {
	secret []byte
	folder string
}

func main() {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("MXHOOK_SECRET"), "whsec_"))
	if err != nil || len(secret) == 0 {
		log.Fatal("MXHOOK_SECRET must be the sink's secret: whsec_ and base64")
	}
	r := &receiver{secret: secret, folder: env("FOLDER", "inbox")}
	if err := os.MkdirAll(r.folder, 0o700); err != nil {
		log.Fatal(err)
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(env("HOST", "127.0.0.1"), env("PORT", "3000")))
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /inbound", r)
	fmt.Printf("listening on http://%s/inbound\n", ln.Addr())
	server := http.Server{ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	log.Fatal(server.Serve(ln))
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// ServeHTTP answers 2xx only when the event is kept: for mxhook that is a promise.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, largest))
	if err != nil { // broken off, or too large; 413 tells the sender so
		http.Error(w, "the body is too large or incomplete", http.StatusRequestEntityTooLarge)
		return
	}
	if err := verify(r.secret, q.Header, body, time.Now()); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized) // the mail waits, and mxhook says that the secret is wrong
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil || e.ID != q.Header.Get("webhook-id") {
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	switch err := r.keep(&e, body); {
	case errors.Is(err, os.ErrExist):
		fmt.Fprintln(w, "known") // a repeat: mxhook had not heard the yes
	case err != nil:
		log.Print(err)
		http.Error(w, "not kept", http.StatusServiceUnavailable) // the sender comes again
	default:
		fmt.Printf("%s from=%q verified=%v subject=%q attachments=%d\n", e.ID, e.author(), e.Authentication.FromVerified, e.Message.Subject, len(e.Message.Attachments))
		fmt.Fprintln(w, "kept")
	}
}

// author returns the first address of From. Without from_verified anybody may have
// written it.
func (e *event) author() string {
	if len(e.Message.From) == 0 {
		return ""
	}
	return e.Message.From[0].Address
}

var ids = regexp.MustCompile(`^msg_[a-z2-7]{26}$`)

// keep writes the event to a folder of its own, which appears whole or not at all. The
// error is os.ErrExist for an event that is there already.
func (r *receiver) keep(e *event, body []byte) error {
	if !ids.MatchString(e.ID) {
		return fmt.Errorf("%q is no event id", e.ID)
	}
	final := filepath.Join(r.folder, e.ID)
	if _, err := os.Stat(final); err == nil {
		return os.ErrExist
	}
	temporary, err := os.MkdirTemp(r.folder, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary) // nothing is left there when it was renamed
	if err := write(filepath.Join(temporary, "event.json"), body); err != nil {
		return err
	}
	for i, a := range e.Message.Attachments {
		content, err := base64.StdEncoding.DecodeString(a.Content)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(temporary, fmt.Sprintf("attachment-%d", i+1)), content); err != nil {
			return err
		}
	}
	if err := sync(temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, final); err != nil {
		if _, known := os.Stat(final); known == nil {
			return os.ErrExist // the same event came twice at once
		}
		return err
	}
	return sync(r.folder)
}
