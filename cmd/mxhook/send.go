package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"mxhook/inbound/message"
)

// maxFile bounds what `send` and `inspect` read into memory, in octets.
const maxFile = 256 << 20

// runSend sends a message over SMTP, as a client would.
func runSend(ctx context.Context, t *terminal, args []string) int {
	f := newFlags(t, "send")
	to := f.String("to", "127.0.0.1:2525", "the server, `HOST:PORT`")
	from := f.String("from", "", "the reverse-path `ADDR`; \"\" for the null reverse-path; by default the From field's")
	rcpts := f.repeated("rcpt", "a forward-path `ADDR`, repeatable; by default those of To, Cc and Bcc")
	helo := f.String("helo", "localhost", "the `NAME` for EHLO")
	asIs := f.Bool("as-is", false, "keep Date and Message-ID as they are")
	startTLS := f.Bool("starttls", false, "encrypt the session; the certificate is not checked")
	files, status, ok := f.parse(args, 1, 1)
	if !ok {
		return status
	}
	content, err := readMessage(t, files[0])
	if err != nil {
		return f.fail("%v", err)
	}
	if f.given("from") && *from == "" {
		*from = "<>"
	}
	m := mailing{server: *to, helo: *helo, from: *from, rcpts: *rcpts}
	f.skipped(addressFrom(&m, message.Parse(bytes.NewReader(content), int64(len(content)), message.Options{})))
	if len(m.rcpts) == 0 {
		return f.fail("%s names no recipient; give one with --rcpt", files[0])
	}
	if *startTLS {
		m.startTLS = &tls.Config{InsecureSkipVerify: true} // it is our own server that is tried out
	}
	if !*asIs {
		content = freshen(content, time.Now(), rand.Text())
	}
	reply, err := m.send(ctx, bytes.NewReader(content))
	if refused, isReply := replyOf(err); isReply {
		return f.fail("%s said: %s", *to, refused)
	} else if err != nil {
		return f.fail("%s: %v", *to, err)
	}
	fmt.Fprintln(t.stdout, reply)
	return exitGood
}

// addressFrom fills the envelope from the header where no flag gave it. What has a
// name but no addr-spec (RFC 5322 3.4.1) is nobody's address and is returned.
func addressFrom(m *mailing, parsed *message.Message) (skipped []message.Address) {
	if m.from == "" && len(parsed.From) > 0 {
		m.from = parsed.From[0].Address
	}
	m.from = strings.Trim(m.from, "<>")
	if len(m.rcpts) == 0 {
		for _, a := range slices.Concat(parsed.To, parsed.Cc, parsed.Bcc) {
			if !strings.Contains(a.Address, "@") {
				skipped = append(skipped, a)
				continue
			}
			m.rcpts = append(m.rcpts, a.Address)
		}
	}
	for _, a := range append([]string{m.from}, m.rcpts...) {
		m.utf8 = m.utf8 || strings.ContainsFunc(a, func(r rune) bool { return r > 0x7f })
	}
	return skipped
}

// skipped tells of recipients that the header names and nobody can send to.
func (f *flags) skipped(addresses []message.Address) {
	for _, a := range addresses {
		fmt.Fprintf(f.t.stderr, "mxhook %s: no recipient: %q has no address\n", f.Name(), cmp.Or(a.Name, a.Address, "<>"))
	}
}

// freshen returns the message with a new Date and Message-ID, so that it is not
// taken for one that was sent before. The fields take the places of the old ones.
func freshen(content []byte, now time.Time, unique string) []byte {
	fresh := map[string]string{
		"date":       "Date: " + now.Format(time.RFC1123Z) + "\r\n",
		"message-id": "Message-ID: <" + strings.ToLower(unique) + "@mxhook.invalid>\r\n",
	}
	var b bytes.Buffer
	at := int64(0)
	for _, field := range message.Parse(bytes.NewReader(content), int64(len(content)), message.Options{}).Header {
		line, replace := fresh[strings.ToLower(field.Name)]
		if !replace {
			continue
		}
		b.Write(content[at:field.Start])
		b.WriteString(line)
		delete(fresh, strings.ToLower(field.Name))
		at = field.End
	}
	b.Write(content[at:])
	return append([]byte(fresh["date"]+fresh["message-id"]), b.Bytes()...)
}

// readMessage reads a message file, or standard input for "-", and makes its line
// ends CRLF when it has bare LF.
func readMessage(t *terminal, file string) ([]byte, error) {
	content, err := readFile(t, file)
	return withCRLF(content), err
}

// readFile reads a file of at most maxFile octets, or standard input for "-".
func readFile(t *terminal, file string) ([]byte, error) {
	in := t.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	content, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d octets", file, maxFile)
	}
	return content, nil
}

// withCRLF returns p with every bare LF made CRLF.
func withCRLF(p []byte) []byte {
	if bytes.Count(p, []byte("\n")) == bytes.Count(p, []byte("\r\n")) {
		return p
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(p, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}
