package message

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mxhook/inbound"
)

// corpora returns the folder of test data beside the module; the test is skipped
// where there is none.
func corpora(t *testing.T) string {
	dir := filepath.Join("..", "..", "..", "shared", "corpora")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpora beside the module: ", err)
	}
	return dir
}

// eachCorpusFile calls f for every file of every set, with the race detector for every
// eighth, and returns how many they were.
func eachCorpusFile(t *testing.T, f func(path string, b []byte)) (n int) {
	t.Helper()
	all := 0
	err := filepath.WalkDir(corpora(t), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if all++; raceDetector && all%8 != 0 {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		f(path, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every file of every set is parsed, whether it is a message or not.
func TestCorporaParse(t *testing.T) {
	n := eachCorpusFile(t, func(path string, b []byte) {
		m := Parse(bytes.NewReader(b), int64(len(b)), Options{})
		checkInvariants(t, m, int64(len(b)))
		again := Parse(inbound.NewMailData(b), int64(len(b)), Options{}) // without copies
		for _, x := range []*Message{m, again} {
			for i := range x.Attachments {
				x.Attachments[i].open, x.Attachments[i].openBase64 = nil, nil
			}
		}
		if !reflect.DeepEqual(m, again) {
			t.Errorf("%s: two results", path)
		}
	})
	t.Logf("%d files", n)
}
