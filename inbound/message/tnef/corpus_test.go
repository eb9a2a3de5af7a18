package tnef

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// plain decodes as the tests need it.
func plain(b []byte, page int) string {
	e := charmap.Windows1252
	switch page {
	case 1251:
		e = charmap.Windows1251
	case 20866:
		e = charmap.KOI8R
	}
	out, _ := e.NewDecoder().Bytes(b)
	return string(out)
}

// listed flattens the files of embedded messages.
func listed(m *Message) (names []string, files []File) {
	for _, f := range m.Files {
		names = append(names, f.Name)
		if f.Message != nil {
			n, more := listed(f.Message)
			names, files = append(names, n...), append(files, more...)
			continue
		}
		files = append(files, f)
	}
	if m.RTF != nil {
		names = append(names, "body.rtf")
	}
	return names, files
}

// unix undoes the line ends of DOS, which some files of the set have lost.
func unix(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }

// Every name that the set lists is found, and every file that it holds has its octets.
func TestFilesOfTheCorpus(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "corpora", "tnef-mimekit")
	streams, _ := filepath.Glob(filepath.Join(dir, "*.tnef"))
	if len(streams) == 0 {
		t.Skip("no corpora beside the module")
	}
	for _, path := range streams {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Read(bytes.NewReader(b), plain, Limits{})
			if err != nil || m.Limited {
				t.Fatal(err, m)
			}
			names, files := listed(m)
			base := strings.TrimSuffix(path, ".tnef")
			list, _ := os.ReadFile(base + ".list")
			for _, want := range strings.Split(strings.TrimSpace(string(list)), "\n") {
				// Embedded messages, which the list calls so, have names of their own here.
				if want != "" && want != "Untitled Attachment" && !slices.Contains(names, want) {
					t.Errorf("no %q in %q", want, names)
				}
			}
			stored, _ := filepath.Glob(filepath.Join(base, "*"))
			for _, file := range stored {
				want, _ := os.ReadFile(file)
				found := false
				for _, f := range files {
					content := b[f.Start : f.Start+f.Size]
					if sha256.Sum256(content) != f.SHA256 {
						t.Errorf("%s: another digest", f.Name)
					}
					found = found || f.Name == filepath.Base(file) && bytes.Equal(unix(content), unix(want))
				}
				found = found || bytes.Equal(unix(m.RTF), unix(want)) || strings.TrimSpace(m.Text) == strings.Trim(string(want), "\x00\r\n")
				if !found {
					t.Errorf("no %s of %d octets", filepath.Base(file), len(want))
				}
			}
		})
	}
}
