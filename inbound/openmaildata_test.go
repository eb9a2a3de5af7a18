package inbound_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"mxhook/inbound"
)

// memoryFile is a file that tells whether it was closed.
type memoryFile struct {
	*bytes.Reader
	closed int
}

func (f *memoryFile) Close() error { f.closed++; return nil }

func TestAnOpenedMessageIsTheOneThatWasReceived(t *testing.T) {
	for name, text := range map[string]string{
		"header and body": "Subject: a\r\n\r\nbody\r\n", "no body": "Subject: a\r\n", "nothing": "", "body alone": "\r\nbody",
		"large": "Subject: a\r\n\r\n" + string(bytes.Repeat([]byte("0123456789abcde\n"), 20_000)),
	} {
		want := inbound.NewMailData([]byte(text))
		f := &memoryFile{Reader: bytes.NewReader([]byte(text))}
		got, err := inbound.OpenMailData(f, int64(len(text)))
		if err != nil {
			t.Fatal(name, err)
		}
		read, err := io.ReadAll(got.Open())
		if err != nil || string(read) != text {
			t.Errorf("%s: other bytes, %v", name, err)
		}
		if got.Size() != want.Size() || got.BodyOffset() != want.BodyOffset() || got.SHA256() != want.SHA256() || got.BodySHA256() != want.BodySHA256() {
			t.Errorf("%s: size %d, body at %d", name, got.Size(), got.BodyOffset())
		}
		got.Retain().Release()
		if f.closed != 0 {
			t.Errorf("%s: closed while it is held", name)
		}
		got.Release()
		if _, err := got.ReadAt(make([]byte, 1), 0); f.closed != 1 || err == nil {
			t.Errorf("%s: closed %d times, %v", name, f.closed, err)
		}
	}
}

func TestAShorterFileIsNoMessage(t *testing.T) {
	f := &memoryFile{Reader: bytes.NewReader([]byte("Subj"))}
	if _, err := inbound.OpenMailData(f, 5); !errors.Is(err, io.ErrUnexpectedEOF) || f.closed != 1 {
		t.Errorf("%v, closed %d times", err, f.closed)
	}
}
