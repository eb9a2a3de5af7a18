package why_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"mxhook/verify/why"
)

func TestSectionsKeepTheirOrderAndSteps(t *testing.T) {
	notes := why.New()
	ctx := why.With(context.Background(), notes)
	first, second := why.Section(ctx, "SPF"), why.Section(ctx, "DKIM")
	why.Say(second, "selector %s", "s1")
	why.Say(first, "record %q", "v=spf1 -all")
	why.Say(why.Within(first), "include")
	why.Say(ctx, "outside of a section")
	var b strings.Builder
	n, err := notes.WriteTo(&b)
	want := "SPF\n  record \"v=spf1 -all\"\n    include\n\nDKIM\n  selector s1\n"
	if b.String() != want || err != nil || n != int64(len(want)) {
		t.Errorf("%q, %d, %v, want %q", b.String(), n, err, want)
	}
}

func TestWithoutNotesNothingIsSaid(t *testing.T) {
	ctx := context.Background()
	if why.On(ctx) || why.Section(ctx, "SPF") != ctx || why.Within(ctx) != ctx || why.With(ctx, nil) != ctx {
		t.Error("a context without notes was changed")
	}
	if n := testing.AllocsPerRun(100, func() { why.Say(ctx, "x") }); n != 0 {
		t.Errorf("%v allocations for nobody", n)
	}
}

func TestASectionGoesOnInAnotherContext(t *testing.T) {
	notes := why.New()
	section, cancel := context.WithCancel(why.Section(why.With(context.Background(), notes), "DKIM"))
	cancel()
	ctx := why.In(context.Background(), section)
	why.Say(ctx, "body hash")
	var b strings.Builder
	notes.WriteTo(&b)
	if b.String() != "DKIM\n  body hash\n" || ctx.Err() != nil || why.In(context.Background(), context.Background()) != context.Background() {
		t.Errorf("%q, %v", b.String(), ctx.Err())
	}
}

func TestAStrangersTextIsOneHarmlessLine(t *testing.T) {
	notes := why.New()
	ctx := why.Section(why.With(context.Background(), notes), "a\r\nb")
	why.Say(ctx, "%s", "x\x1b[2J\r\nResult: pass\u2028y\u202e\xff")
	var b strings.Builder
	notes.WriteTo(&b)
	if want := "a??b\n  x?[2J??Result: pass?y??\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestConcurrentStepsAreBounded(t *testing.T) {
	notes := why.New()
	ctx := why.Section(why.With(context.Background(), notes), "DNS")
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 1000 {
				why.Say(ctx, "step")
			}
		})
	}
	wait.Wait()
	var b strings.Builder
	notes.WriteTo(&b)
	if !strings.HasSuffix(b.String(), "(and 2000 more steps)\n") || strings.Count(b.String(), "step\n") != 2000 {
		t.Errorf("%d octets, end %q", b.Len(), b.String()[max(0, b.Len()-40):])
	}
}

func TestATitleTellsTheResult(t *testing.T) {
	notes := why.New()
	ctx := why.Section(why.With(context.Background(), notes), "SPF")
	why.Conclude(ctx, "fail\n")
	why.Conclude(context.Background(), "nobody listens")
	var b strings.Builder
	notes.WriteTo(&b)
	if b.String() != "SPF: fail?\n" {
		t.Errorf("%q", b.String())
	}
}

func TestStepsThatAreHeldBackStandTogether(t *testing.T) {
	notes := why.New()
	ctx := why.Within(why.Section(why.With(context.Background(), notes), "DKIM"))
	one, first := why.Hold(ctx)
	two, second := why.Hold(ctx)
	why.Say(two, "b1")
	why.Say(one, "a1")
	why.Say(why.Within(two), "b2")
	why.Say(one, "a2")
	first()
	second()
	first()
	var b strings.Builder
	notes.WriteTo(&b)
	if want := "DKIM\n    a1\n    a2\n    b1\n      b2\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	if held, release := why.Hold(context.Background()); why.On(held) {
		t.Error("nobody listens")
	} else {
		release()
	}
}

func TestLongStepsAreWrappedButNoWordIsBroken(t *testing.T) {
	notes := why.New()
	ctx := why.Within(why.Section(why.With(context.Background(), notes), "DKIM"))
	why.Say(ctx, "%s", strings.Repeat("Wörter ", 20)+strings.Repeat("k", 100)+" end")
	var b strings.Builder
	notes.Print(&b, 80)
	words := strings.Repeat("Wörter ", 20)
	want := "DKIM\n    " + words[:8*10+7] + "\n        " + strings.TrimSpace(words[8*11:]) + "\n        " + strings.Repeat("k", 100) + "\n        end\n"
	if b.String() != want {
		t.Errorf("\n%s, want\n%s", b.String(), want)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if n := len([]rune(line)); n > 80 && !strings.Contains(line, "kkk") {
			t.Errorf("%d: %q", n, line)
		}
	}
}
