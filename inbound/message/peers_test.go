package message

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// peerResult is what another parser read. Python gives leaves, postal-mime text,
// HTML and attachments.
type peerResult struct {
	Error       string
	Leaves      []peerLeaf
	Text, HTML  string
	Subject     string
	From, To    [][2]string
	Attachments []peerLeaf
}

type peerLeaf struct {
	Kind, Type, Name, Text, SHA256 string
}

// lookPeer skips the test, or fails it where MXHOOK_INTEROP=require, if command fails.
func lookPeer(t *testing.T, what string, command ...string) {
	t.Helper()
	if os.Getenv("MXHOOK_INTEROP") == "skip" {
		t.Skip("MXHOOK_INTEROP=skip")
	}
	if err := exec.Command(command[0], command[1:]...).Run(); err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatalf("%s is not installed, and MXHOOK_INTEROP=require", what)
		}
		t.Skipf("%s is not installed", what)
	}
}

var messageStart = regexp.MustCompile(`(?i)\A(\xef\xbb\xbf)?(From .*\r?\n)?([!-9;-~]+:.*\r?\n([ \t].*\r?\n)*)+`)

// peerMessages returns the paths of the examples and of all messages of the MIME
// sets, as far as they stand beside the module.
func peerMessages(t *testing.T) (paths []string) {
	paths = exampleFiles(t)
	sets, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "corpora", "mime-*"))
	for _, set := range sets {
		filepath.WalkDir(set, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "README" {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			head := string(messageStart.Find(b))
			if regexp.MustCompile(`(?mi)^(from|subject|received|content-type|to|mime-version):`).MatchString(head) {
				paths = append(paths, path)
			}
			return nil
		})
	}
	return paths
}

// askPeer runs one process over all paths.
func askPeer(t *testing.T, paths []string, command ...string) []peerResult {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []peerResult
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 256<<20)
	for lines.Scan() {
		var r peerResult
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	if len(results) != len(paths) {
		t.Fatalf("%d results for %d messages", len(results), len(paths))
	}
	return results
}

// ourLeaves returns the leaf parts as Python's are listed.
func ourLeaves(b []byte) (leaves []peerLeaf) {
	p := newParser(bytes.NewReader(b), int64(len(b)), Options{})
	w := &walker{parser: p, lr: newLineReader(p.r, p.size)}
	w.walk()
	var visit func(pt *part)
	visit = func(pt *part) {
		if pt.multi {
			for _, kid := range pt.kids {
				visit(kid)
			}
			return
		}
		l := peerLeaf{Kind: "octets", Type: pt.media, Name: p.filename(pt)}
		switch {
		case strings.HasPrefix(pt.media, "message/"):
			l.Kind = "message"
		case pt.isText():
			l.Kind = "text"
			l.Text = p.textOf(pt, map[*part]bool{})
		default:
			a := p.attachment(pt)
			l.SHA256 = digestOf(&a)
		}
		leaves = append(leaves, l)
	}
	visit(w.root)
	return leaves
}

// digestOf is the digest that the drivers reckon.
func digestOf(a *Attachment) string {
	b, _ := io.ReadAll(a.Open())
	b = bytes.TrimRight(bytes.ReplaceAll(b, []byte("\r"), nil), "\n")
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// sameText compares text without what parsers do differently at line ends.
func sameText(a, b string) bool {
	norm := func(s string) string {
		return strings.TrimRight(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n\t ")
	}
	return norm(a) == norm(b)
}

// difference is one between us and another parser.
type difference struct {
	file, field, ours, theirs string
	m                         *Message
	raw                       []byte
}

// compareLeaves returns what differs from Python.
func compareLeaves(m *Message, raw []byte, r *peerResult) (list []difference) {
	add := func(field, ours, theirs string) { list = append(list, difference{"", field, ours, theirs, m, raw}) }
	if r.Error != "" {
		add("error", "", r.Error)
		return list
	}
	compareFields(m, r, add)
	ours := ourLeaves(raw)
	if len(ours) != len(r.Leaves) {
		add("parts", strconv.Itoa(len(ours)), strconv.Itoa(len(r.Leaves)))
		return list
	}
	for i, a := range ours {
		b := r.Leaves[i]
		switch {
		case a.Type != b.Type:
			add("type", a.Type, b.Type)
		case a.Kind == "text" && !sameText(a.Text, b.Text):
			add("text", a.Text, b.Text)
		case a.SHA256 != b.SHA256:
			add("octets", a.SHA256, b.SHA256)
		case a.Name != b.Name:
			add("name", a.Name, b.Name)
		}
	}
	return list
}

func compareFields(m *Message, r *peerResult, add func(field, ours, theirs string)) {
	if m.Subject != r.Subject {
		add("subject", m.Subject, r.Subject)
	}
	for _, x := range []struct {
		name   string
		ours   []Address
		theirs [][2]string
	}{{"from", m.From, r.From}, {"to", m.To, r.To}} {
		var ours [][2]string
		for _, a := range x.ours {
			ours = append(ours, [2]string{a.Name, a.Address})
		}
		if a, b := fmt.Sprintf("%q", ours), fmt.Sprintf("%q", x.theirs); a != b {
			add(x.name, a, b)
		}
	}
}

// compareWhole returns what differs from postal-mime.
func compareWhole(m *Message, raw []byte, r *peerResult) (list []difference) {
	add := func(field, ours, theirs string) { list = append(list, difference{"", field, ours, theirs, m, raw}) }
	if r.Error != "" {
		add("error", "", r.Error)
		return list
	}
	compareFields(m, r, add)
	if !m.TextFromHTML && !sameText(m.Text, r.Text) {
		add("text", m.Text, r.Text)
	}
	if !sameText(m.HTML, r.HTML) {
		add("html", m.HTML, r.HTML)
	}
	if len(m.Attachments) != len(r.Attachments) {
		add("parts", strconv.Itoa(len(m.Attachments)), strconv.Itoa(len(r.Attachments)))
		return list
	}
	for i := range m.Attachments {
		a, b := &m.Attachments[i], r.Attachments[i]
		switch {
		case a.ContentType != b.Type:
			add("type", a.ContentType, b.Type)
		case digestOf(a) != b.SHA256:
			add("octets", digestOf(a), b.SHA256)
		case a.Filename != b.Name:
			add("name", a.Filename, b.Name)
		}
	}
	return list
}

// comparePeer compares all messages. Each difference must have a rule, and each rule
// a difference where the sets are present.
func comparePeer(t *testing.T, rules []peerRule, compare func(*Message, []byte, *peerResult) []difference, command ...string) {
	paths := peerMessages(t)
	results := askPeer(t, paths, command...)
	used := make([]int, len(rules))
	same, differences := 0, 0
	for i, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
		list := compare(m, raw, &results[i])
		if len(list) == 0 {
			same++
		}
		differences += len(list)
		for _, d := range list {
			d.file = filepath.Base(path)
			k := slices.IndexFunc(rules, func(r peerRule) bool { return r.explains(&d) })
			if k < 0 {
				t.Errorf("%s: %s: ours %.300q theirs %.300q", path, d.field, d.ours, d.theirs)
				continue
			}
			used[k]++
		}
	}
	t.Logf("%d messages, %d the same in all, %d differences", len(paths), same, differences)
	for k, r := range rules {
		t.Logf("%4d %s", used[k], r.why)
		if used[k] == 0 && len(paths) > 2*len(exampleFiles(t)) {
			t.Errorf("no difference is explained by %q", r.why)
		}
	}
}

func TestPythonReadsTheSame(t *testing.T) {
	if raceDetector {
		t.Skip("the messages are parsed in one goroutine; without the race detector they are compared")
	}
	lookPeer(t, "python3", "/usr/bin/python3", "-c", "import email")
	comparePeer(t, pythonRules, compareLeaves, "/usr/bin/python3", "testdata/peers/peer.py")
}

func TestPostalMimeReadsTheSame(t *testing.T) {
	lookPeer(t, "postal-mime (npm, on NODE_PATH)", "node", "-e", "require('postal-mime')")
	comparePeer(t, postalRules, compareWhole, "node", "testdata/peers/peer.js")
}
