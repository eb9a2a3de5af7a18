package arc_test

import (
	"crypto/ed25519"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mxhook/verify/arc"
	"mxhook/verify/dns"
	"mxhook/verify/sealer"
)

var update = flag.Bool("update", false, "write testdata anew")

// goldens makes the messages of testdata. Their keys are made of fixed seeds and open
// nothing.
func goldens() (zone string, messages map[string]string) {
	by := func(domain string, seed byte) sealer.Sealer {
		key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+seed)), ed25519.SeedSize)))
		zone += record("s1._domainkey."+domain, key, "")
		return sealer.Sealer{Domain: domain, Selector: "s1", Signer: key, Results: "mx." + domain + ";\r\n dmarc=pass header.from=sender.example"}
	}
	list, mailbox, forwarder := by("list.example", 1), by("mailbox.example", 2), by("forwarder.example", 3)
	one := list.Seal(plain)
	edited := mailbox.Seal(strings.Replace(one, "Hello.", "Hello.\r\n-- \r\nto leave the list, do this", 1))
	mailbox.CV = "fail"
	return zone, map[string]string{
		"unsealed":       plain,
		"one":            one,
		"three":          forwarder.Seal(edited),
		"body-changed":   strings.Replace(one, "Hello.", "Hullo.", 1),
		"results-forged": strings.Replace(edited, "i=1; mx.list.example;\r\n dmarc=pass", "i=1; mx.list.example;\r\n dmarc=fail", 1),
		"cv-fail":        forwarder.Seal(mailbox.Seal(one)),
		"set-missing":    strings.ReplaceAll(edited, "i=1;", "i=3;"),
	}
}

// TestGoldens: message and zone in, result out.
func TestGoldens(t *testing.T) {
	if *update {
		zone, messages := goldens()
		files := map[string]string{"zone": zone}
		for name, message := range messages {
			files[name+".eml"] = message
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join("testdata", name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, err := os.ReadFile("testdata/zone")
	if err != nil {
		t.Fatal(err)
	}
	z, err := dns.ParseZone(string(text))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no messages: ", err)
	}
	trust := arc.NewSealers([]string{"forwarder.example", "mailbox.example", "list.example"})
	for _, file := range files {
		message, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, e := validate(t, z, string(message))
		trusted, vouched := c.Trust(trust, "sender.example")
		got := fmt.Sprintf("result: %s\nlength: %d\nsealers: %s\noldest-pass: %d\nreason: %s\ntrusted: %v\nvouched: %v\n",
			e.Result, e.Length, strings.Join(e.Sealers, ", "), e.OldestPass, e.Reason, trusted, vouched)
		golden := strings.TrimSuffix(file, ".eml") + ".want"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || got != string(want) {
			t.Errorf("%s: %v, got\n%swant\n%s", file, err, got, want)
		}
	}
}
