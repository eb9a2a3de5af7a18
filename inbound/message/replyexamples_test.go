package message

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// replyExamples are what the writer of each examples/messages/reply-*.eml added, and
// his signature. The goldens hold the rest.
var replyExamples = map[string][2]string{
	"gmail-en":              {"Yes, the new lamp works. Thank you!"},
	"gmail-de":              {"Ja, die neue Lampe geht. Vielen Dank!\n\nGrüße\nBob"},
	"gmail-ja":              {"新しいランプは動きました。ありがとうございます。"},
	"gmail-zh":              {"新灯可以用了，谢谢！"},
	"gmail-signature-es":    {"Sí, la lámpara nueva funciona. ¡Gracias!", "-- \nBob Example\nCliente S.A."},
	"gmail-fr-wrapped":      {"Oui, merci."},
	"outlook-fr":            {"Oui, la nouvelle lampe marche. Merci !\n\nBob"},
	"outlook-web-es":        {"Sí, la lámpara nueva funciona."},
	"outlook-mobile-it":     {"Sì, la lampada nuova funziona.", "Scarica Outlook per iOS<https://aka.ms/o0ukef>"},
	"outlook-html-only-pl":  {"Tak, nowa lampa działa. Dziękuję!"},
	"outlook-mac-sv":        {"Ja, den nya lampan fungerar."},
	"outlook-ja":            {"新しいランプは動きました。"},
	"outlook-ru":            {"Да, новая лампа работает."},
	"outlook-empty-de":      {},
	"qq-zh":                 {"新灯可以用了，谢谢！"},
	"iphone-nl":             {"Ja, de nieuwe lamp doet het.", "Verstuurd vanaf mijn iPhone"},
	"iphone-empty-en":       {"", "Sent from my iPhone"},
	"apple-mail-pt":         {"Sim, a lâmpada nova funciona."},
	"apple-mail-ru":         {"Да, новая лампа работает."},
	"yahoo-pl":              {"Tak, nowa lampa działa."},
	"yandex-html-only-ru":   {"Да, новая лампа работает.", "--\nBob"},
	"thunderbird-sv":        {"Ja, den nya lampan fungerar."},
	"thunderbird-bottom-de": {"Ja, sie geht. Danke!", "-- \nBob Example\nBeispiel GmbH"},
	"between-en":            {"Hello Ann,\n\n> Hello Bob,\n>\n> did the new lamp arrive?\n\nIt did.\n\n> Does it work?\n\nIt does.", "-- \nBob"},
	"samsung-en":            {"The new lamp works.", "Sent from my Galaxy"},
	"proton-de":             {"Ja, die neue Lampe geht.", "Gesendet mit Proton Mail."},
	"helpdesk-en":           {"It works now, thank you."},
	"forwarded-it":          {"Ciao Bob,\n\nè arrivata la lampada nuova?"},
	"gmx-de":                {"Ja, die neue Lampe geht."},
}

// The replies of common mail readers in twelve languages are divided where their
// writer would divide them.
func TestRepliesOfMailReaders(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examplesDir, "reply-*.eml"))
	if err != nil || len(files) != len(replyExamples) {
		t.Fatalf("%d files, %d expected: %v", len(files), len(replyExamples), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "reply-"), ".eml")
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := parse(t, string(b))
			want, ok := replyExamples[name]
			if !ok {
				t.Fatal("nothing is expected of it")
			}
			if m.Reply.Text != want[0] || m.Reply.Signature != want[1] {
				t.Errorf("text %q, signature %q; want %q, %q\nof %q", m.Reply.Text, m.Reply.Signature, want[0], want[1], m.Text)
			}
			if m.Reply.Quoted == "" {
				t.Error("nothing is quoted")
			}
			if len(m.Defects) > 0 {
				t.Errorf("defects: %v", m.Defects)
			}
		})
	}
}
