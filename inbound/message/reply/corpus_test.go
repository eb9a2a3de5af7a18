package reply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpora returns a set of test data beside the module; the test is skipped where
// there is none.
func corpora(t *testing.T, set string) string {
	dir := filepath.Join("..", "..", "..", "..", "shared", "corpora", set)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpora beside the module: ", err)
	}
	return dir
}

// read returns a file of a set, its line ends \n.
func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// elided is what of the text is not in Text, in the order of the text.
func elided(text string) string {
	d := newDocument(text)
	d.classify()
	d.divide()
	var b strings.Builder
	for _, l := range d.lines {
		if l.part != inText {
			b.WriteString(text[l.start:l.end])
		}
	}
	return b.String()
}

// The trimmed text is compared octet for octet but for the line end at its end,
// which the set has now and then. The set's elided text has attributions unwrapped
// and quote marks made alike, so it is compared without blanks and quote marks.
func TestDiscourse(t *testing.T) {
	dir := corpora(t, "reply-discourse")
	files, err := filepath.Glob(filepath.Join(dir, "emails", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no mails: ", err)
	}
	right, rightElided := 0, 0
	for _, file := range files {
		name := filepath.Base(file)
		text := read(t, file)
		want := strings.TrimRight(read(t, dir, "trimmed", name), "\n")
		if got := Divide(text, "").Text; got != want {
			t.Logf("%s:\n%s\n--- the set wants\n%s", name, got, want)
		} else {
			right++
		}
		bare := func(s string) string {
			return strings.NewReplacer(" ", "", "\n", "", ">", "", "Richard", "", "C>", "").Replace(s)
		}
		if got, want := bare(elided(text)), bare(read(t, dir, "elided", name)); got != want {
			t.Logf("%s: elided\n%s\n--- the set wants\n%s", name, got, want)
		} else {
			rightElided++
		}
	}
	t.Logf("%d mails: %d trimmed and %d elided alike", len(files), right, rightElided)
	if right*100 < len(files)*95 {
		t.Errorf("%d of %d", right, len(files))
	}
}

// sets are the other sets: how many lines from the first on are what the writer
// added, 0 for all of them, by what the sets ask for as far as they say it.
var sets = []struct {
	dir   string
	lines map[string]int
	// differs are the mails in which a set wants something else than we do, and why we do.
	differs map[string]string
}{
	{"reply-crisp/fixtures", map[string]int{
		"email_1": 7, "email_10": 5, "email_17": 5, "email_18": 5, "email_19": 1, "email_21": 0, "email_22": 5, "email_23": 5, "email_25": 5, "email_4": 1,
		"email_5": 0, "email_6": 3, "email_8": 5, "email_customer_quote_header_2": 1, "email_en_multiline_2": 5, "email_finnish": 5, "email_fr_multiline": 5,
		"email_german": 5, "email_gmail_split_line_from": 5, "email_ios_outlook_fr": 5, "email_iphone": 1, "email_italian": 5, "email_not_a_signature": 0,
		"email_not_a_signature_2": 0, "email_one_is_not_on": 5, "email_original_message": 5, "email_original_message_2": 5, "email_reply_header": 11,
		"email_russian": 5, "email_sent_from_my_not_signature": 0, "email_thread": 1, "email_tricky_13_timestamp_variations": 0,
		"email_tricky_14_long_quote_header": 5, "email_tricky_15_original_message_variations": 5, "email_tricky_20_html_entities": 3,
		"email_tricky_2_url_with_wrote": 0, "email_tricky_4_from_in_body": 0, "email_tricky_5_mixed_languages": 5, "email_tricky_6_regards_in_sentence": 0,
		"email_tricky_7_multiple_dashes": 0, "email_tricky_8_sent_from_in_content": 0, "email_unquoted_reply": 1, "email_with_from_headers": 0, "email_zoho": 2,
	}, map[string]string{
		"email_2":            "answers between quotes: the quotes stay with them",
		"email_7":            "lines of the quote are broken without a mark, as answers between would be",
		"email_15":           "text below the line of a device, not marked as quoted: the line is a signature, the text stays",
		"email_german_3":     "the same",
		"email_with_regards": "words of farewell are the writer's",
	}},
	{"reply-willdurand/Fixtures", map[string]int{
		"email_12": 5, "email_14": 5, "email_16": 5, "email_17": 5, "email_22": 5, "email_2_1": 1, "email_6": 1, "email_8": 5, "email_blackberry": 1, "email_bullets": 9,
		"email_customer_quote_header_2": 1, "email_customer_quote_header_3": 3, "email_iphone": 1, "email_multi_word_sent_from_my_mobile_device": 1,
		"email_one_is_not_on": 5, "email_sent_from_my_not_signature": 0, "email_unquoted_reply": 1, "email_w10_mail": 2, "email_with_from_headers": 0,
		"email_zimbra_free_fr": 10, "sig_no_empty_line": 1,
	}, map[string]string{
		"email_3": "a name behind a dash is the writer's",
		"email_7": "lines of the quote are broken without a mark, as answers between would be",
	}},
	{"reply-zapier/emails", map[string]int{
		"email_1_5": 0, "email_2_1": 1, "email_2_3": 1, "email_bullets": 9, "email_gmail": 1, "email_headers_no_delimiter": 1, "email_iPhone": 1,
		"email_sig_delimiter_in_middle_of_line": 0, "greedy_on": 6,
	}, map[string]string{
		"email_1_2": "answers between quotes: the quotes stay with them",
		"email_1_3": "a name behind a dash is the writer's",
		"email_1_8": "answers between quotes: the quotes stay with them",
	}},
	{"reply-github/emails", map[string]int{
		"email_1_4": 1, "email_1_5": 0, "email_1_6": 1, "email_1_7": 1, "email_2_2": 1, "email_bullets": 9,
	}, map[string]string{
		"email_1_3":        "a name behind a dash is the writer's",
		"email_long_quote": "the same",
	}},
}

func TestOtherSets(t *testing.T) {
	for _, set := range sets {
		dir := corpora(t, set.dir)
		files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
		if err != nil || len(files) != len(set.lines)+len(set.differs) {
			t.Errorf("%s: %d files, %v", set.dir, len(files), err)
		}
		right := 0
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".txt")
			text := read(t, file)
			p := Divide(text, "")
			checkWhole(t, text, p)
			n, ok := set.lines[name]
			if !ok {
				t.Logf("%s: %s: %s", set.dir, name, set.differs[name])
				continue
			}
			want := text
			if n > 0 {
				want = strings.Join(strings.Split(text, "\n")[:n], "\n")
			}
			if p.Text != trimText(want) {
				t.Errorf("%s: %s: %q, want %q", set.dir, name, p.Text, want)
				continue
			}
			right++
		}
		t.Logf("%s: %d of %d", set.dir, right, len(files))
	}
}
