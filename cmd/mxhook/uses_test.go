package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// useMail is a message of ann's. %s are further fields.
func useMail(id, fields, text string) []byte {
	return []byte("From: Ann <ann@sender.example>\r\nTo: x@help.example\r\nSubject: broken\r\nMessage-ID: <" + id + "@sender.example>\r\nDate: " +
		time.Now().Format(time.RFC1123Z) + "\r\n" + fields + "\r\n" + text)
}

const quoted = "My answer.\r\n\r\nOn Sun, 22 Nov 2026 at 10:00, The App <app@reply.example> wrote:\r\n> What was said before\r\n"

// startUse starts an app of examples/uses, and a bridge with its configuration.
func startUse(t *testing.T, name, path string) (b *running, rows func(query string) string, printed []string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a program")
	}
	address, folder, printed := startExample(t, []string{"/usr/bin/python3", "-c", "import flask"}, "uses", []string{"/usr/bin/python3", "-B", name + ".py"})
	yaml, err := os.ReadFile(filepath.Join("..", "..", "examples", "uses", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("127.0.0.1:2525", "127.0.0.1:0", "http://127.0.0.1:3000"+path, "http://"+address+path,
		"${MXHOOK_SECRET}", receiverSecret, "./postmaster", t.TempDir()).Replace(string(yaml))
	b = startBridge(t, config)
	rows = func(query string) string {
		out, err := exec.Command("/usr/bin/python3", "-c", "import sqlite3, sys\nfor r in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(*r, sep='|')",
			filepath.Join(folder, "app.sqlite3"), query).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	return b, rows, printed
}

func TestRepliesByMailBecomeComments(t *testing.T) {
	t.Parallel()
	b, rows, printed := startUse(t, "comments", "/replies")
	address := ""
	for _, line := range printed {
		if who, where, ok := strings.Cut(line, " answers thread 7 at "); ok && who == "ann@sender.example" {
			address = where
		}
	}
	forged := strings.Replace(address, "reply+7-", "reply+8-", 1)
	for _, c := range []struct{ what, from, rcpt, id, fields, reply string }{
		{"ann's answer", "ann@sender.example", address, "1", "", "250 "},
		{"in capitals", "ann@sender.example", strings.ToUpper(address), "2", "", "250 "},
		{"a token of another thread", "ann@sender.example", forged, "3", "", "550 5.7.1 No such thread."},
		{"no token", "ann@sender.example", "reply+x@reply.example", "4", "", "550 5.7.1 No such thread."},
		{"somebody who forges her", "eve@elsewhere.example", address, "5", "", "250 "},
		{"her vacation note", "ann@sender.example", address, "6", "Auto-Submitted: auto-replied\r\n", "250 "},
	} {
		if got := b.send(t, c.from, c.rcpt, useMail(c.id, c.fields, quoted)); !strings.HasPrefix(got, c.reply) {
			t.Errorf("%s: %s", c.what, got)
		}
	}
	if got, want := rows("SELECT thread, user, text, state FROM comments ORDER BY rowid"), "7|1|My answer.|shown\n7|1|My answer.|shown\n7|1|My answer.|held"; got != want {
		t.Errorf("comments:\n%s", got)
	}
}

func TestMailBecomesTickets(t *testing.T) {
	t.Parallel()
	b, rows, _ := startUse(t, "tickets", "/tickets")
	send := func(from, rcpt, id, fields string) {
		t.Helper()
		if got := b.send(t, from, rcpt, useMail(id, fields, quoted)); !strings.HasPrefix(got, "250 ") {
			t.Fatal(got)
		}
		b.await(t, "delivered")
	}
	send("ann@sender.example", "support@help.example", "1", "")
	send("ann@sender.example", "support@help.example", "2", "In-Reply-To: <1@sender.example>\r\n")
	send("ann@sender.example", "support@help.example", "3", "References: <unknown@x.example> <2@sender.example>\r\n")
	key := rows("SELECT key FROM tickets WHERE number = 1")
	send("bob@elsewhere.example", "support+1."+key+"@help.example", "4", "")
	send("bob@elsewhere.example", "support@help.example", "5", "In-Reply-To: <1@sender.example>\r\n") // a forger, who has seen a message id
	send("ann@sender.example", "support+1.guessed@help.example", "6", "")
	send("ann@sender.example", "support@help.example", "7", "Auto-Submitted: auto-replied\r\n")
	want := []string{"<1@sender.example>|1|1", "<2@sender.example>|1|1", "<3@sender.example>|1|1", "<4@sender.example>|1|0", "<5@sender.example>|2|0", "<6@sender.example>|3|1"}
	if got := rows("SELECT message_id, ticket, verified FROM messages ORDER BY rowid"); got != strings.Join(want, "\n") {
		t.Errorf("messages:\n%s", got)
	}
	if got := rows("SELECT text FROM messages WHERE ticket = 1"); got != strings.TrimSpace(strings.Repeat("My answer.\n", 4)) {
		t.Errorf("texts: %q", got)
	}
	send("ann@sender.example", "support@help.example", "8", "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"+
		"\r\n--b\r\n\r\nSee the file.\r\n--b\r\nContent-Type: image/png; name=\"../shot.png\"\r\n\r\nPNG\r\n--b--\r\n")
	if got := rows("SELECT name, type, CAST(content AS TEXT) FROM files"); got != "../shot.png|image/png|PNG" {
		t.Errorf("files: %s", got)
	}
}
