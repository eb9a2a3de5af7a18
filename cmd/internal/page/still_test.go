package page

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestStillKeepsTheTextAndDropsWhatConnects(t *testing.T) {
	for text, want := range map[string]string{
		`<p>Hello <b>you</b></p>`:                                      `<p>Hello <b>you</b></p>`,
		`<link rel=preconnect href=//x><p>a`:                           `<p>a</p>`,
		`<LINK rel=x><Meta http-equiv=refresh><base href=//x><p>b`:     `<p>b</p>`,
		`<svg><title><link rel=preconnect></title></svg><p>c`:          `<svg><title></title></svg><p>c</p>`,
		`<script>x</script><iframe src=//x>y</iframe><p>d`:             `<p>d</p>`,
		`<noscript><p title="</noscript><link rel=x>"></noscript><p>e`: `<p>e</p>`,
		`<style>p{color:red}</style><p>f`:                              `<style>p{color:red}</style>`,
	} {
		if got := string(still(text)); !strings.Contains(got, want) || strings.Contains(got, "<link") || strings.Contains(got, "<meta") {
			t.Errorf("%q becomes %q, want %q in it", text, got, want)
		}
	}
	if got := still(strings.Repeat("<div>", 100_000)); got != nil && len(got) > 10<<20 {
		t.Errorf("%d octets of nothing but depth", len(got))
	}
}

func FuzzStill(f *testing.F) {
	for _, seed := range []string{`<svg><title><link></title>`, `<math><mtext><table><mglyph><style><!--</style><link title="-->&lt;link>">`, `<noscript><p title="</noscript><link>">`,
		`<select><template><link>`, `<form><math><mtext></form><form><mglyph><style></math><link>`, `<table><tr><svg><desc><td><link>`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out := still(text)
		if out == nil {
			return
		}
		doc, err := html.ParseWithOptions(strings.NewReader(string(out)), html.ParseOptionEnableScripting(false))
		if err != nil {
			t.Fatal(err)
		}
		if n := drop(doc); n > 0 {
			t.Errorf("%q still has %d elements: %q", text, n, out)
		}
	})
}
