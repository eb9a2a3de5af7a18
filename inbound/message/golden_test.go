package message

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

const examplesDir = "../../examples/messages"

// golden is a Message as it stands in testdata.
type golden struct {
	Message
	Attachments []goldenAttachment
}

type goldenAttachment struct {
	Attachment
	SHA256 string
}

func goldenOf(t *testing.T, m *Message) []byte {
	t.Helper()
	g := golden{Message: *m}
	for _, a := range m.Attachments {
		g.Attachments = append(g.Attachments, goldenAttachment{a, hex.EncodeToString(a.SHA256[:])})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func exampleFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examplesDir, "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no examples: ", err)
	}
	return files
}

func TestExamplesParseToTheirGoldens(t *testing.T) {
	for _, file := range exampleFiles(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".eml")
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := Parse(bytes.NewReader(b), int64(len(b)), Options{SMTPUTF8: strings.HasPrefix(name, "smtputf8-")})
			checkInvariants(t, m, int64(len(b)))
			got := goldenOf(t, m)
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("differs from %s (rewrite with -update):\n%s", path, got)
			}
		})
	}
}
