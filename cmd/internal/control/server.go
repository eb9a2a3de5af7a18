package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"mxhook/sinks/spool"
)

// The bounds of a request and its answer.
const (
	maxRequest  = 4 << 20   // octets of a request but a message's: 50,000 names
	maxQuery    = 256 << 10 // octets of a request's line and header: a hundred recipients
	requestTime = 30 * time.Second
	uploadTime  = 20 * time.Minute // for a message and its delivery, or a change of many events
	answerTime  = time.Minute      // for as much of an answer as is written at once
)

// Server answers Clients in the name of a bridge.
type Server struct {
	path       string
	operations Operations
	log        *slog.Logger
	http       http.Server
	file       os.FileInfo // the socket, nil while none is there
	done       chan struct{}

	mu       sync.Mutex // guards all below
	draining bool
	running  sync.WaitGroup
}

// NewServer returns a Server for a state folder that does nothing yet.
func NewServer(state string, o Operations, log *slog.Logger) *Server {
	s := &Server{path: Path(state), operations: o, log: log, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/spool", s.list)
	mux.HandleFunc("GET /v1/spool/{name}", s.show)
	mux.HandleFunc("GET /v1/spool/{name}/raw", s.raw)
	mux.HandleFunc("POST /v1/replay", s.change("put back", o.Replay))
	mux.HandleFunc("POST /v1/drop", s.change("dropped", o.Drop))
	mux.HandleFunc("POST /v1/messages", s.send)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, &Error{http.StatusNotFound, "mxhook serve, which is of another version, does not know this request"})
	})
	s.http = http.Server{
		Handler: s.bound(mux), ReadHeaderTimeout: requestTime, IdleTimeout: requestTime, MaxHeaderBytes: maxQuery,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
	}
	return s
}

// Start listens and serves. The caller holds the state folder's lock: a socket that
// nobody answers at is replaced.
func (s *Server) Start() error {
	if conn, err := dial(s.path); err == nil {
		conn.Close()
		return fmt.Errorf("another process answers at %s", s.path)
	}
	ln, err := listen(s.path)
	if err != nil {
		return err
	}
	if s.file, err = os.Lstat(s.path); err != nil {
		ln.Close()
		return err
	}
	go func() {
		defer close(s.done)
		s.http.Serve(ln) // ends with ErrServerClosed, by Stop
	}()
	return nil
}

// Drain refuses all requests from now on, with words, and waits for the running ones
// until ctx ends, then cuts them.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		s.http.Close()
	}
}

// enter counts a request, unless the server drains.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.running.Add(1)
	return true
}

// Stop removes the socket, after Drain and before the state folder's lock is given
// back.
func (s *Server) Stop(ctx context.Context) error {
	if s.file == nil {
		return nil
	}
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(s.file, now) {
		os.Remove(s.path)
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	<-s.done
	return err
}

// bound sets the bounds of a request; handlers widen them.
func (s *Server) bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			w.Header().Set("Connection", "close")
			refuse(w, &Error{http.StatusServiceUnavailable, "mxhook serve is shutting down; ask again when it has ended, or is running again"})
			return
		}
		defer s.running.Done()
		c := http.NewResponseController(w)
		c.SetReadDeadline(time.Now().Add(requestTime))
		c.SetWriteDeadline(time.Now().Add(requestTime + answerTime))
		next.ServeHTTP(w, r)
	})
}

// list writes one JSON object a line, so that any number of events needs no memory.
// A list that breaks off breaks the connection.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := Filter{State: spool.State(q.Get("state")), Sink: q.Get("sink")}
	out := &patient{ResponseWriter: w, control: http.NewResponseController(w)}
	lines := json.NewEncoder(out)
	err := s.operations.List(r.Context(), f, func(i spool.Item) error { return lines.Encode(i) })
	switch {
	case err == nil && !out.begun:
		w.WriteHeader(http.StatusOK)
	case err != nil && !out.begun:
		refuse(w, err)
	case err != nil:
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	items, err := s.operations.Show(r.Context(), r.PathValue("name"))
	answer(w, items, err)
}

func (s *Server) raw(w http.ResponseWriter, r *http.Request) {
	out := &patient{ResponseWriter: w, control: http.NewResponseController(w)}
	switch err := s.operations.Raw(r.Context(), r.PathValue("name"), out); {
	case err != nil && !out.begun:
		refuse(w, err)
	case err != nil:
		panic(http.ErrAbortHandler)
	}
}

// change handles what alters the spool; done is what the log says of it.
func (s *Server) change(done string, do func(context.Context, Selection) (Changed, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var selection Selection
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		d.DisallowUnknownFields()
		if err := d.Decode(&selection); err != nil {
			refuse(w, Invalid("the request is malformed, too long, or of another version"))
			return
		}
		if err := selection.Check(); err != nil {
			refuse(w, err)
			return
		}
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(uploadTime)) // every event is one file or more
		changed, err := do(r.Context(), selection)
		if err == nil {
			s.log.Info("events "+done+" by the operator", "dead", changed.Dead, "waiting", changed.Waiting, "failed", len(changed.Failed))
		}
		answer(w, changed, err)
	}
}

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	var m Stored
	if err := json.Unmarshal([]byte(r.URL.Query().Get("envelope")), &m); err != nil {
		refuse(w, Invalid("the envelope is malformed"))
		return
	}
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Now().Add(uploadTime))
	c.SetWriteDeadline(time.Time{}) // the delivery budget bounds it
	report, err := s.operations.Send(r.Context(), m, r.Body)
	io.Copy(io.Discard, r.Body) // so that who still sends hears the answer
	c.SetWriteDeadline(time.Now().Add(answerTime))
	answer(w, report, err)
}

// patient gives each write its own time.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (p *patient) Write(b []byte) (int, error) {
	p.begun = true
	p.control.SetWriteDeadline(time.Now().Add(answerTime))
	return p.ResponseWriter.Write(b)
}

func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}

// problem is how an Error goes over the socket.
type problem struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, err error) {
	e := asError(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Code)
	json.NewEncoder(w).Encode(problem{e.Text})
}
