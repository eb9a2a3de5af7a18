package arc_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"mxhook/verify/arc"
	"mxhook/verify/dkim"
	"mxhook/verify/why"
)

func reasoning(t *testing.T, message string) string {
	t.Helper()
	content := strings.NewReader(message)
	header, body, err := dkim.ReadHeader(content, content.Size())
	if err != nil {
		t.Fatal(err)
	}
	notes, z := why.New(), zone(t)
	ctx := why.Section(why.With(context.Background(), notes), "ARC")
	c := arc.Read(header, now)
	c.FetchNewest(ctx, z)
	dkim.Verify(context.Background(), ctx, z, dkim.Message{Header: header, Content: content, Body: body, Size: content.Size()}, now, c.Bodies()...)
	c.Evaluate(ctx, z)
	var b strings.Builder
	if _, err := notes.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheReasoningOfAChain(t *testing.T) {
	forwarded := ed("two.example").Seal(strings.Replace(ed("one.example").Seal(plain), "Hello.", "Hello.\r\n-- \r\nthe list", 1))
	for _, c := range []struct {
		rule, message string
		want          []string
	}{
		{"each set, the newest first", forwarded, []string{
			"set 2 of 2, sealed by two.example (s=ed, cv=pass); it found: mx.two.example; dmarc=pass",
			"ARC-Message-Signature: d=two.example s=ed a=ed25519-sha256", "key at ed._domainkey.two.example: ed25519, 256 bits",
			"ARC-Seal: it covers the 6 fields of sets 1 to 2; their SHA-256 is ", "the seal holds",
			"set 1 of 2, sealed by one.example (s=ed, cv=none)", "fail: the body was changed", "that is no fault of the chain",
			"it covers the 3 fields of sets 1 to 1",
		}},
		{"a change after the newest", strings.Replace(forwarded, "Hello.", "Hullo.", 1), []string{
			"its SHA-256 is ", "fail: the body was changed", "set 1 of 2, sealed by one.example", "not looked at, since a newer one does not hold",
		}},
		{"a changed result", strings.Replace(forwarded, "i=1; mx.one.example; dmarc=pass", "i=1; mx.one.example; dmarc=fail", 1), []string{
			"the seal is fail: the signature does not fit. A field of these sets was changed after it, or it was forged",
		}},
		{"a broken structure", forged(2, "pass") + plain, []string{"the structure decides before any key is asked for", "the set i=1 is not complete"}},
	} {
		steps := reasoning(t, c.message)
		for _, want := range c.want {
			if !strings.Contains(steps, want) {
				t.Errorf("%s: %q is not there:\n%s", c.rule, want, steps)
			}
		}
	}
}

// TestNotesChangeNoResult: the same with and without.
func TestNotesChangeNoResult(t *testing.T) {
	for _, message := range []string{three(), forgedChain(3), plain, strings.Replace(three(), "Hello.", "Hullo.", 1), forged(2, "pass") + plain} {
		content, z := strings.NewReader(message), zone(t)
		header, body, err := dkim.ReadHeader(content, content.Size())
		if err != nil {
			t.Fatal(err)
		}
		quiet := context.Background()
		_, want := validate(t, z, message)
		asked := z.n
		ctx := why.Section(why.With(quiet, why.New()), "ARC")
		c := arc.Read(header, now)
		c.FetchNewest(ctx, z)
		dkim.Verify(ctx, ctx, z, dkim.Message{Header: header, Content: content, Body: body, Size: content.Size()}, now, c.Bodies()...)
		if got := c.Evaluate(ctx, z); !reflect.DeepEqual(got, want) || z.n != 2*asked {
			t.Errorf("%+v after %d questions, without notes %+v after %d", got, z.n-asked, want, asked)
		}
	}
}
