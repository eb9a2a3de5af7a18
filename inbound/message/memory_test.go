package message

import (
	"bytes"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"mxhook/inbound"
)

// checkMemory parses b from memory and through ReadAt, holds both results and the
// attachments' octets to be the same, and b to be as it was.
func checkMemory(t *testing.T, name string, b []byte) {
	t.Helper()
	before := bytes.Clone(b)
	data := inbound.NewMailData(b)
	held, read := Parse(data, data.Size(), Options{}), Parse(bytes.NewReader(b), int64(len(b)), Options{})
	if len(held.Attachments) != len(read.Attachments) {
		t.Fatalf("%s: %d attachments, read %d", name, len(held.Attachments), len(read.Attachments))
	}
	for i := range held.Attachments {
		x, y := &held.Attachments[i], &read.Attachments[i]
		if !bytes.Equal(octets(t, x.Open()), octets(t, y.Open())) {
			t.Errorf("%s: attachment %d has other octets", name, i)
		}
		x.open, x.openBase64, y.open, y.openBase64 = nil, nil, nil, nil
	}
	if !reflect.DeepEqual(held, read) {
		t.Errorf("%s: in memory\n%+v\nread\n%+v", name, held, read)
	}
	if !bytes.Equal(b, before) {
		t.Errorf("%s: the message was changed", name)
	}
}

func octets(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A message in memory is not copied, and what is read of it is the same.
func TestMemoryReadsTheSame(t *testing.T) {
	head := "\xef\xbb\xbfContent-Type: multipart/mixed; boundary=b\r\n"
	for _, name := range []string{"1KiB", "20KiB-alternative", "200KiB-attachment"} {
		checkMemory(t, name, []byte(benchMessages()[name]))
	}
	pieces := []string{
		"--b\r\n\r\n", "--b--\r\n", "\r\n--b\r\nContent-Transfer-Encoding: base64\r\nContent-Type: a/b\r\n\r\n", strings.Repeat("QUJD", 19) + "\r\n",
		strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 800), "\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", "a=C3=\r\n=B6 \r\n",
		strings.Repeat("x", blockSize-30), strings.Repeat("=41", rawSize/3), "\r", "\n", "\r\n", "\x00", "\r\n--b\r\nContent-Transfer-Encoding: x-uuencode\r\nContent-Type: a/b\r\n\r\nbegin 644 a\r\n",
		"#86)C\r\n`\r\nend\r\n", "\r\n--b\r\nX: " + strings.Repeat("y", 200<<10), "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\n",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		s := head[3*random.IntN(2):] + "\r\n"
		for range random.IntN(12) {
			s += pieces[random.IntN(len(pieces))]
		}
		checkMemory(t, "pieces", []byte(s))
	}
}
