package senders

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// wire stands between a sender and the bridge and keeps what the sender says.
type wire struct {
	address string
	mu      sync.Mutex
	said    []*bytes.Buffer // one for each connection
}

func startWire(t *testing.T, bridge string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	w := &wire{address: ln.Addr().String()}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go w.carry(client, bridge)
		}
	}()
	return w
}

func (w *wire) carry(client net.Conn, bridge string) {
	defer client.Close()
	server, err := net.Dial("tcp", bridge)
	if err != nil {
		return
	}
	defer server.Close()
	said := &bytes.Buffer{}
	w.mu.Lock()
	w.said = append(w.said, said)
	w.mu.Unlock()
	go func() {
		io.Copy(client, server)
		client.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(io.MultiWriter(lockedWriter{&w.mu, said}, server), client)
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// messages returns every message that was sent whole, as RFC 5321 and RFC 3030 read
// it: without stuffed dots, chunks put together. It takes each DATA for one that was
// answered 354, and knows nothing of errors.
func (w *wire) messages() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, said := range w.said {
		var chunks strings.Builder
		for rest := said.String(); ; {
			line, after, ok := strings.Cut(rest, "\r\n")
			if !ok {
				break
			}
			rest = after
			words := strings.Fields(strings.ToUpper(line))
			switch {
			case len(words) == 1 && words[0] == "DATA":
				body, after, ok := strings.Cut("\r\n"+rest, "\r\n.\r\n")
				if !ok {
					rest = ""
					break
				}
				rest = after
				all = append(all, strings.ReplaceAll(body+"\r\n", "\r\n.", "\r\n")[2:])
			case len(words) > 1 && words[0] == "BDAT":
				n, _ := strconv.Atoi(words[1])
				n = min(n, len(rest))
				chunks.WriteString(rest[:n])
				rest = rest[n:]
				if len(words) == 3 {
					all = append(all, chunks.String())
					chunks.Reset()
				}
			}
		}
	}
	return all
}
