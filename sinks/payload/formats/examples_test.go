package formats_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
	"mxhook/sinks/payload/payloadtest"
)

var update = flag.Bool("update", false, "write examples/payloads anew")

// TestExamplePayloads holds examples/payloads against what each format makes of one
// message with an attachment. mxhook and raw have theirs in package payload.
func TestExamplePayloads(t *testing.T) {
	for _, name := range formats.Names()[2:] {
		t.Run(name, func(t *testing.T) {
			kind, _ := formats.Find(name)
			f, err := formats.New(name, formats.Options{Include: payload.Include{HTML: true}, Secret: exampleSecret(t, kind)})
			if err != nil {
				t.Fatal(err)
			}
			r, p := payloadtest.Request(t, f, payloadtest.Example(t, "attachment-pdf.eml"))
			file := filepath.Join("../../../examples/payloads", name+extension(r.Body.ContentType()))
			if kind.JSON {
				var b bytes.Buffer
				if err := json.Indent(&b, p, "", "  "); err != nil {
					t.Fatal(err)
				}
				p = append(b.Bytes(), '\n')
			}
			p = random.ReplaceAll(p, []byte("${1}TOKEN"))
			p = signature.ReplaceAll(p, []byte("${1}SIGNATURE"))
			if *update {
				if err := os.WriteFile(file, p, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || !bytes.Equal(p, want) {
				t.Errorf("%s is not what is written (%v); run go test ./sinks/payload/formats -update", file, err)
			}
		})
	}
}

// Mailgun's token is random, and its signature with it.
var (
	random    = regexp.MustCompile(`(token(?:"\r\n\r\n|=))[0-9a-f]{50}`)
	signature = regexp.MustCompile(`(signature(?:"\r\n\r\n|=))[0-9a-f]{64}`)
)

// exampleSecret is a key of the kind that the format wants. PEM keys sign in a header
// alone, so that the payload needs none.
func exampleSecret(t *testing.T, k formats.Kind) string {
	t.Helper()
	if k.Secret == formats.Key {
		return "example-key"
	}
	return ""
}

func extension(contentType string) string {
	switch {
	case strings.Contains(contentType, "json"):
		return ".json"
	case strings.HasPrefix(contentType, "multipart/"):
		return ".multipart"
	case strings.HasPrefix(contentType, "message/"):
		return ".eml"
	}
	return ".form"
}
