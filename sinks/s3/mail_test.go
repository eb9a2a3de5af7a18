package s3_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/sinks"
	"mxhook/sinks/sinktest"
)

// mailOf returns an event of a message of a little more than size octets, in a file, with
// two attachments, and what they hold.
func mailOf(t testing.TB, size int) (e *sinks.Event, files [][]byte) {
	t.Helper()
	source := rand.NewChaCha8([32]byte{1})
	var text bytes.Buffer
	text.WriteString("From: bob@sender.example\r\nTo: ann@in.example\r\nSubject: files\r\nMessage-ID: <2@sender.example>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n")
	for i := range 2 {
		file := make([]byte, size*28/74)
		source.Read(file)
		files = append(files, file)
		fmt.Fprintf(&text, "--b\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename=\"../<b>%d.html\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", i)
		for encoded := []byte(base64.StdEncoding.EncodeToString(file)); len(encoded) > 0; {
			n := min(76, len(encoded))
			text.Write(encoded[:n])
			text.WriteString("\r\n")
			encoded = encoded[n:]
		}
	}
	text.WriteString("--b--\r\n")
	buffer := inbound.NewStore(t.TempDir(), 64<<10).NewBuffer(0)
	buffer.Write(text.Bytes())
	data, err := buffer.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	e = sinktest.NewEvent(1)
	e.Data, e.Message = data, message.Parse(data, data.Size(), message.Options{})
	e.ID = sinks.EventID(data.BodySHA256(), e.Route, e.Recipients)
	if len(e.Message.Attachments) != 2 {
		t.Fatalf("%d attachments", len(e.Message.Attachments))
	}
	return e, files
}
