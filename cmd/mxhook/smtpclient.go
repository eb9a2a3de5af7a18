package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// mailing is one transaction to be made as an SMTP client.
type mailing struct {
	server   string // host:port
	helo     string
	from     string // "" is the null reverse-path
	rcpts    []string
	utf8     bool        // an address is beyond ASCII
	startTLS *tls.Config // nil: in clear
	dialogue io.Writer   // the SMTP dialogue is printed here unless nil; in clear only
}

// send makes the transaction and returns the reply to the message. A reply that
// refuses anything is an error of type *smtp.SMTPError.
func (m mailing) send(ctx context.Context, message io.Reader) (string, error) {
	conn, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(ctx, "tcp", m.server)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if m.dialogue != nil {
		conn = &transcript{Conn: conn, out: m.dialogue}
	}
	client := smtp.NewClient(conn)
	if m.startTLS != nil {
		if client, err = smtp.NewClientStartTLS(conn, m.startTLS); err != nil {
			return "", err
		}
	}
	defer client.Close()
	reply, err := m.transaction(client, message)
	if _, refused := replyOf(err); err == nil || refused {
		client.Quit() // the reply counts, however the connection ends
	}
	return reply, err
}

func (m mailing) transaction(client *smtp.Client, message io.Reader) (string, error) {
	if err := client.Hello(m.helo); err != nil {
		return "", err
	}
	if err := client.Mail(m.from, &smtp.MailOptions{UTF8: m.utf8}); err != nil {
		return "", fmt.Errorf("MAIL FROM:<%s>: %w", m.from, err)
	}
	for _, rcpt := range m.rcpts {
		if err := client.Rcpt(rcpt, nil); err != nil {
			return "", fmt.Errorf("RCPT TO:<%s>: %w", rcpt, err)
		}
	}
	data, err := client.Data()
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(data, message); err != nil {
		return "", err
	}
	response, err := data.CloseWithResponse()
	if err != nil {
		return "", err
	}
	return "250 " + response.StatusText, nil
}

// replyOf returns the server's words for an error of send, as they stood on the
// wire; ok is false when the error is not a reply.
func replyOf(err error) (reply string, ok bool) {
	var refused *smtp.SMTPError
	if !errors.As(err, &refused) {
		return "", false
	}
	e := refused.EnhancedCode
	if e == smtp.NoEnhancedCode || e == smtp.EnhancedCodeNotSet {
		return fmt.Sprintf("%d %s", refused.Code, refused.Message), true
	}
	return fmt.Sprintf("%d %d.%d.%d %s", refused.Code, e[0], e[1], e[2], refused.Message), true
}

// transcript is a connection that prints what goes over it, line by line: "C:" and
// "S:". Of a message it prints the number of octets.
type transcript struct {
	net.Conn
	out    io.Writer
	mu     sync.Mutex
	client strings.Builder // an unfinished line of ours
	server strings.Builder
	inData bool
	octets int
}

// Write sends p and prints its lines.
func (t *transcript) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inData {
		t.octets += n
		return n, err
	}
	t.print(&t.client, "C: ", p[:n])
	return n, err
}

// Read receives into p and prints the lines.
func (t *transcript) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inData && n > 0 {
		t.inData = false
		fmt.Fprintf(t.out, "C: … the message, %d octets, and the dot that ends it\n", t.octets)
		t.octets = 0
	}
	t.print(&t.server, "S: ", p[:n])
	return n, err
}

func (t *transcript) print(pending *strings.Builder, mark string, p []byte) {
	pending.Write(p)
	text := pending.String()
	pending.Reset()
	r := bufio.NewReader(strings.NewReader(text))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			pending.WriteString(line)
			return
		}
		fmt.Fprintln(t.out, mark+strings.TrimRight(line, "\r\n"))
		t.inData = mark == "S: " && strings.HasPrefix(line, "354")
	}
}
