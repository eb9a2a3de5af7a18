package password

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"mxhook/inbound/status"
)

func TestAHashSurvivesItsString(t *testing.T) {
	h := New("correct horse")
	again, err := Parse(h.String())
	if err != nil {
		t.Fatal(err)
	}
	if !again.Matches("correct horse") || again.Matches("correct hors") || again.Matches("") {
		t.Error("the hash matches another password, or not its own")
	}
	if New("correct horse").String() == h.String() {
		t.Error("two hashes have the same salt")
	}
}

// TestAKnownHash is what the reference implementation prints for
// echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1.
func TestAKnownHash(t *testing.T) {
	h, err := Parse("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil {
		t.Fatal(err)
	}
	if !h.Matches("password") {
		t.Error("the reference's hash does not match")
	}
}

func TestWhatIsNoHash(t *testing.T) {
	good := New("x").String()
	for _, s := range []string{
		"", "secret", "$2y$10$abcdefghijklmnopqrstuv", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=1048576", 1), strings.Replace(good, "m=19456", "m=7", 1), strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "t=2", "t=-1", 1), strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=257", 1),
		strings.Replace(good, "t=2", "t=02", 1), strings.Replace(good, "p=1", "p=1,x=2", 1),
		good + "=", good[:len(good)-30], good + "$", " " + good,
	} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%q is taken", s)
		} else if len(s) > 20 && strings.Contains(err.Error(), s[len(s)-20:]) {
			t.Errorf("%q is told in %v", s, err)
		}
	}
}

func TestABookKnowsItsUsers(t *testing.T) {
	b := NewBook(map[string]Hash{"ann": New("secret"), "bob": New("")})
	for _, c := range []struct {
		user, password string
		want           *status.Condition
	}{
		{"ann", "secret", nil}, {"ann", "wrong", status.AuthFailed}, {"ann", "", status.AuthFailed}, {"Ann", "secret", status.AuthFailed},
		{"nobody", "secret", status.AuthFailed}, {"nobody", "", status.AuthFailed}, {"", "", status.AuthFailed},
	} {
		err := b.Check(t.Context(), c.user, c.password)
		if c.want == nil && err != nil || c.want != nil && status.ConditionOf(err) != c.want {
			t.Errorf("%s %q: %v", c.user, c.password, err)
		}
	}
	if err := NewBook(nil).Check(t.Context(), "", ""); status.ConditionOf(err) != status.AuthFailed {
		t.Error("a book without users lets in:", err)
	}
}

// TestAnUnknownUserCostsAsMuch checks the cost itself, since time can't be trusted here.
func TestAnUnknownUserCostsAsMuch(t *testing.T) {
	cheap := Hash{memory: 8, passes: 1, lanes: 1, salt: make([]byte, 16), sum: make([]byte, 32)}
	dear := cheap
	dear.memory = 64
	if b := NewBook(map[string]Hash{"a": cheap}); b.unknown.cost() != cheap.cost() {
		t.Error("an unknown user costs more than the only one")
	}
	if b := NewBook(map[string]Hash{"a": cheap, "b": dear, "c": cheap}); b.unknown.cost() != dear.cost() {
		t.Error("an unknown user costs less than the costliest")
	}
}

func TestWhoseTurnNeverComesIsToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBook(nil)
		for range atOnce {
			b.turns <- struct{}{}
		}
		if err := b.Check(t.Context(), "ann", "secret"); status.ConditionOf(err) != status.AuthUnavailable {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Check(ctx, "ann", "secret"); status.ConditionOf(err) != status.AuthUnavailable {
			t.Error(err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(New("x").String())
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Fatalf("%q is written %q", s, h)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	h := New("secret")
	for b.Loop() {
		h.Matches("secret")
	}
}
