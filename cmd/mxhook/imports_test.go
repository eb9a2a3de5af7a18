package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// A folder of ours may import these folders of ours, besides its own subfolders.
var mayImport = map[string][]string{
	"inbound": {},
	"verify":  {},
	"routing": {"inbound", "verify"},
	"sinks":   {"inbound", "verify"},
	"cmd":     {"inbound", "verify", "routing", "sinks"},
}

// A library has one owner, or a few that are named here; tests may use it anywhere.
var owners = map[string][]string{
	"github.com/emersion/go-smtp":           {"mxhook/inbound/smtpd", "mxhook/cmd/mxhook"},
	"github.com/jhillyerd/enmime":           {"mxhook/inbound/message"},
	"github.com/emersion/go-msgauth":        {"mxhook/verify", "mxhook/cmd/mxhook"},
	"blitiri.com.ar/go/spf":                 {},
	"github.com/miekg/dns":                  {"mxhook/verify/dns"},
	"github.com/hashicorp/go-retryablehttp": {"mxhook/sinks/webhook"},
	"github.com/goccy/go-yaml":              {"mxhook/cmd/internal/config"},
	"github.com/prometheus/client_golang":   {"mxhook/cmd/internal/metrics"},
	"github.com/aws/aws-sdk-go-v2":          {"mxhook/sinks/cloud", "mxhook/sinks/s3", "mxhook/sinks/sqs", "mxhook/inbound/ses", "mxhook/cmd/mxhook-lambda"},
	"github.com/aws/smithy-go":              {"mxhook/sinks/cloud", "mxhook/sinks/s3", "mxhook/sinks/sqs", "mxhook/inbound/ses", "mxhook/cmd/mxhook-lambda"},
	"github.com/aws/aws-lambda-go":          {"mxhook/cmd/mxhook-lambda"},
	"github.com/santhosh-tekuri/jsonschema": {},
	"golang.org/x/crypto":                   {"mxhook/cmd/internal/password"},
	"github.com/standard-webhooks/":         {},
}

// Contract packages stay on the standard library, and on ours.
var contracts = []string{"mxhook/inbound", "mxhook/inbound/status", "mxhook/sinks"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestImportsRunDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "mxhook/...").Output()
	if err != nil {
		t.Skip("the go command can't list the packages here:", err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		for _, imported := range p.Imports {
			checkFloor(t, p.ImportPath, imported)
			checkOwner(t, p.ImportPath, imported)
			checkContract(t, p.ImportPath, imported)
		}
	}
}

func checkFloor(t *testing.T, pkg, imported string) {
	to, ours := strings.CutPrefix(imported, "mxhook/")
	if !ours {
		return
	}
	from := folder(strings.TrimPrefix(pkg, "mxhook/"))
	if folder(to) == from {
		return
	}
	for _, allowed := range mayImport[from] {
		if folder(to) == allowed {
			return
		}
	}
	t.Errorf("%s imports %s: %s may import %v", pkg, imported, from, mayImport[from])
}

func folder(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func checkOwner(t *testing.T, pkg, imported string) {
	for library, allowed := range owners {
		if !strings.HasPrefix(imported, library) {
			continue
		}
		owned := false
		for _, owner := range allowed {
			owned = owned || pkg == owner || strings.HasPrefix(pkg, owner+"/")
		}
		if !owned {
			t.Errorf("%s imports %s, which belongs to %v", pkg, imported, allowed)
		}
	}
}

func checkContract(t *testing.T, pkg, imported string) {
	for _, c := range contracts {
		if pkg == c && strings.Contains(folder(imported), ".") {
			t.Errorf("%s is a contract and stays on the standard library, but imports %s", pkg, imported)
		}
	}
}
