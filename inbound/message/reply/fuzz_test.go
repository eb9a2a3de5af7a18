package reply

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkWhole fails if a line of text that is not blank does not stand in exactly
// one part, as often as in the text and in its order.
func checkWhole(t testing.TB, text string, p Parts) {
	t.Helper()
	visible := func(s string) []string {
		var out []string
		for _, l := range strings.Split(s, "\n") {
			if l = trim(l); l != "" {
				out = append(out, l)
			}
		}
		return out
	}
	parts := [][]string{visible(p.Text), visible(p.Quoted), visible(p.Signature)}
	total := 0
	for _, x := range parts {
		total += len(x)
	}
	want := visible(text)
	if total != len(want) {
		t.Fatalf("%d lines became %d: %q\n%q", len(want), total, text, p)
	}
	got := slices.Concat(parts...)
	slices.Sort(got)
	sorted := slices.Sorted(slices.Values(want))
	if !slices.Equal(got, sorted) {
		t.Fatalf("other lines: %q\n%q", text, p)
	}
	for _, x := range parts {
		at := 0
		for _, l := range x {
			for at < len(want) && want[at] != l {
				at++
			}
			if at++; at > len(want) {
				t.Fatalf("%q is out of order: %q\n%q", l, text, p)
			}
		}
	}
	if utf8.ValidString(text) && !utf8.ValidString(p.Text+p.Quoted+p.Signature) {
		t.Fatalf("not UTF-8: %q", text)
	}
}

// FuzzDivide: whatever text and HTML, no line is lost or doubled, and the result is
// twice the same.
func FuzzDivide(f *testing.F) {
	for _, c := range attributions {
		f.Add("Hi.\n\n"+c+"\n\n> old\n", "<div>Hi.</div><div class=gmail_quote>"+c+"<blockquote>old</blockquote></div>")
	}
	for _, c := range replies {
		f.Add(c.text, c.html)
	}
	f.Fuzz(func(t *testing.T, text, html string) {
		p := Divide(text, html)
		checkWhole(t, text, p)
		if again := Divide(text, html); again != p {
			t.Fatalf("two results: %q, %q", p, again)
		}
	})
}

// hostile are texts that are made to be dear.
func hostile(n int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, n/len(s)+1)[:n] }
	return map[string]string{
		"blank":        fill("\n"),
		"one line":     fill("On 2026-01-01 at 10:00 a@b.example wrote: "),
		"colons":       fill("a@b.example 12:34 :\n"),
		"attributions": fill("On 2026-01-01 at 10:00 Ann <a@b.example> wrote:\n\n"),
		"openers":      fill("On 2026-01-01 at 10:00 Ann <a@b.example>\n"),
		"wrote":        fill("wrote:\n"),
		"quotes":       fill("> > > a\n"),
		"marks":        fill(">"),
		"wrapped":      fill("> wrote:\n"),
		"fields":       fill("From: a\nTo: b\nx\n"),
		"from":         fill("From: a\n"),
		"cc":           fill("From: a\n" + strings.Repeat("Cc:\n", 22)),
		"dashes":       fill("--\n" + strings.Repeat("a\n", 24) + strings.Repeat("\n", 200)),
		"only dashes":  fill("--\n"),
		"rules":        fill("\n____\nx\n"),
		"devices":      fill("Sent from my iPhone\n\n"),
		"originals":    fill("-----x-----\n"),
		"fences":       fill("```\n"),
		"initials":     fill("On 2026-01-01 at 10:00 Ann <a@b.example> wrote:\n\nAB> x\n| y\n"),
		"invisible":    fill("\u200e\u202b\u00a0\n"),
		"wide":         fill("2026年1月1日 10:00 写道：\n"),
	}
}

// Hostile texts lose nothing either.
func TestHostileTextIsWhole(t *testing.T) {
	for name, s := range hostile(1 << 16) {
		t.Run(name, func(t *testing.T) {
			s = strings.ToValidUTF8(s, "")
			checkWhole(t, s, Divide(s, "<div class=gmail_quote>"+s))
		})
	}
}

func BenchmarkDivide(b *testing.B) {
	line := "Some plain words in a line of the usual length, and a few more.\n"
	mail := func(n int) string {
		return strings.Repeat(line, n/3/len(line)) + "\nOn Sat, 21 Nov 2026 at 10:59, Ann Example <ann@sender.example> wrote:\n\n" + strings.Repeat("> "+line, n*2/3/len(line))
	}
	run := func(name, s string) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				Divide(s, "")
			}
		})
	}
	run("1KiB", mail(1<<10))
	run("200KiB", mail(200<<10))
	run("10MiB", mail(10<<20))
	for name, s := range hostile(10 << 20) {
		run("10MiB/"+strings.ReplaceAll(name, " ", "-"), s)
	}
	html := "<div>" + strings.Repeat("<p style='color:red'>Some words, and a <a href='https://shop.example/'>link</a></p>", 2500) +
		"<div class='gmail_quote'><blockquote>old</blockquote></div></div>"
	b.Run("html", func(b *testing.B) {
		b.SetBytes(int64(len(html)))
		b.ReportAllocs()
		for b.Loop() {
			Divide("Some words\n", html)
		}
	})
}
