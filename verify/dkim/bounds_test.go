package dkim_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	msgdkim "github.com/emersion/go-msgauth/dkim"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
	"mxhook/verify/internal/cputime"
)

func TestAThousandSignaturesCostTen(t *testing.T) {
	z := &counter{Zone: zone(t)}
	field, rest, _ := strings.Cut(sign(t, plain, options(edKey(), "relaxed", "relaxed")), "\r\nFrom:")
	s := verify(t, z, strings.Repeat(field+"\r\n", 1000)+"From:"+rest, time.Now())
	if len(s) != dkim.MaxSignatures || z.n != 1 {
		t.Fatalf("%d results, %d look-ups of one key", len(s), z.n)
	}
	for i, one := range s {
		if want := i < dkim.MaxVerified; (one.Result == authres.Pass) != want {
			t.Errorf("signature %d: %+v", i, one)
		}
	}
	var fields strings.Builder
	for i := range 1000 {
		fields.WriteString(strings.Replace(field, "s=ed;", fmt.Sprintf("s=ed%d;", i), 1) + "\r\n")
	}
	z.n = 0
	if s := verify(t, z, fields.String()+"From:"+rest, time.Now()); len(s) != dkim.MaxSignatures || z.n != dkim.MaxVerified {
		t.Errorf("%d results, %d look-ups of a thousand keys", len(s), z.n)
	}
}

type counter struct {
	*dns.Zone
	mu sync.Mutex
	n  int
}

func (c *counter) LookupTXT(ctx context.Context, name string) ([]string, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.Zone.LookupTXT(ctx, name)
}

func TestAFloodOfLineEndsCostsNoMoreThanText(t *testing.T) {
	z := zone(t)
	flood := "From: a@sender.example\r\n\r\n" + strings.Repeat("\r\n", 5<<20)
	for _, c := range []msgdkim.Canonicalization{"simple", "relaxed"} {
		message := sign(t, "From: a@sender.example\r\n\r\n", options(edKey(), c, c))
		message = strings.TrimSuffix(message, "From: a@sender.example\r\n\r\n") + flood + "x\r\n"
		begin := cputime.Used()
		s := one(t, z, message)
		// Far above what it costs, far below what a quadratic reader would take, also
		// under the race detector.
		if took := cputime.Used() - begin; took > 10*time.Second {
			t.Errorf("%s: %v", c, took)
		}
		if s.Result != authres.Fail {
			t.Errorf("%s: %+v", c, s)
		}
	}
}

// TestOddBodiesCostNoMoreThanText tries what a scanner with look-ahead could trip over.
func TestOddBodiesCostNoMoreThanText(t *testing.T) {
	z := zone(t)
	for _, unit := range []string{"a  ", "a\t", "a\r", "\r", "\n", " ", "a \r\n", "a\r\n\r\n"} {
		body := strings.Repeat(unit, (1<<19)/len(unit)) + "x\r\n"
		for _, c := range []msgdkim.Canonicalization{"simple", "relaxed"} {
			message := sign(t, "From: a@sender.example\r\n\r\n", options(edKey(), c, c)) + body
			begin := cputime.Used()
			one(t, z, message)
			if took := cputime.Used() - begin; took > 5*time.Second {
				t.Errorf("%q %s: %v", unit, c, took)
			}
		}
	}
}

func TestAHeaderOfFoldsCostsNoMoreThanText(t *testing.T) {
	for _, fold := range []string{"\r\n ", "\n\t", "\r\n:", "\nx"} {
		message := "A: x" + strings.Repeat(fold, (dkim.MaxHeader/4)/len(fold)) + "\r\nFrom: a@sender.example\r\n\r\nx"
		begin := cputime.Used()
		r := strings.NewReader(message)
		fields, _, err := dkim.ReadHeader(r, r.Size())
		if err != nil || !fields[len(fields)-1].Is("From") {
			t.Errorf("%q: %v", fold, err)
		}
		if took := cputime.Used() - begin; took > 3*time.Second {
			t.Errorf("%q: %v", fold, took)
		}
	}
}

// failing ends in an error behind the header.
type failing struct {
	*strings.Reader
	at int64
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.at {
		return 0, errors.New("disk on fire")
	}
	return f.Reader.ReadAt(p[:min(int64(len(p)), f.at-off)], off)
}

func TestContentThatCantBeReadIsTemperrorAndLeavesNoGoroutine(t *testing.T) {
	z := zone(t)
	message := sign(t, sign(t, plain+strings.Repeat("x\r\n", 100_000), options(edKey(), "relaxed", "relaxed")), options(rsaKey(), "simple", "simple"))
	content := strings.NewReader(message)
	header, body, err := dkim.ReadHeader(content, content.Size())
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 20 {
		m := dkim.Message{Header: header, Content: failing{content, body + 100}, Body: body, Size: content.Size()}
		for _, s := range dkim.Verify(context.Background(), context.Background(), z, m, time.Now()) {
			if s.Result != authres.TempError || strings.Contains(s.Reason, "fire") {
				t.Fatalf("%+v", s)
			}
		}
	}
	if after := runtime.NumGoroutine(); after > before+2 {
		t.Errorf("%d goroutines, before %d", after, before)
	}
}
