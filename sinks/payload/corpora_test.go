package payload

import (
	"os"
	"path/filepath"
	"testing"
)

// maxCorpusFile keeps the run short; larger messages are synthetic in these sets.
const maxCorpusFile = 32 * 1024

func TestMessagesOfRealSystemsMakeValidPayloads(t *testing.T) {
	const corpora = "../../../shared/corpora"
	if _, err := os.Stat(corpora); err != nil {
		t.Skip("no corpora beside the module")
	}
	s := strictSchema(t)
	n := 0
	for _, set := range []string{"mime-*", "tnef-*", "bounce-*/*/maildir", "reports-*"} {
		files, err := filepath.Glob(filepath.Join(corpora, set, "*"))
		if err != nil {
			t.Fatal(err)
		}
		deeper, _ := filepath.Glob(filepath.Join(corpora, set, "*", "*"))
		for _, file := range append(files, deeper...) {
			info, err := os.Stat(file)
			if err != nil || !info.Mode().IsRegular() || info.Size() > maxCorpusFile {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			n++
			t.Run(filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), func(t *testing.T) {
				checkMessage(t, s.Validate, data)
			})
		}
	}
	t.Logf("%d files", n)
}
