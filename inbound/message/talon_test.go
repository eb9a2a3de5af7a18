package message

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The replies of talon's set: in all mails of a kind the writer added the same words.
func TestTalonReplies(t *testing.T) {
	dir := filepath.Join(corpora(t), "reply-talon", "fixtures")
	mails, _ := filepath.Glob(filepath.Join(dir, "standard_replies", "*.eml"))
	pages, _ := filepath.Glob(filepath.Join(dir, "html_replies", "*.html"))
	if len(mails) == 0 || len(pages) == 0 {
		t.Fatal("no replies")
	}
	for _, file := range append(mails, pages...) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, want := string(b), "Hello"
		if filepath.Ext(file) == ".html" {
			s, want = "From: a@a.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"+s, "Hi. I am fine. Thanks, Alex"
		}
		m := parse(t, s)
		if got := strings.Join(strings.Fields(m.Reply.Text), " "); got != want {
			t.Errorf("%s: %q of %q", filepath.Base(file), m.Reply.Text, m.Text)
		}
	}
}
