package dkim_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	msgdkim "github.com/emersion/go-msgauth/dkim"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
)

// corpora is where the sets are; tests that need one skip without it.
const corpora = "../../../shared/corpora/"

// vector is a message of a set and what the set says of it.
type vector struct {
	name    string // set/file
	message string
	keys    *dns.Zone
	now     time.Time
	theirs  string // a word for each signature, "pass" or "fail"; one for the message if whole
	whole   bool   // the set has a verdict of the message alone: does any signature hold?
}

// deviation is a vector whose result here is not the set's.
type deviation struct{ name, theirs, ours, why string }

const (
	becauseSHA1  = "rsa-sha1, which RFC 8301 3.1 forbids"
	becauseDraft = "no `v=1`: of a draft before RFC 4871"
)

// deviations stand in README.md too. The test fails when one of them agrees.
var deviations = []deviation{
	{"dkim-fastmail/good_1878523.txt", "pass", "policy", becauseSHA1},
	{"dkim-fastmail/good_83176.txt", "pass", "policy", becauseSHA1},
	{"dkim-fastmail/good_ietf00_2.txt", "pass", "permerror", becauseDraft},
	{"dkim-fastmail/good_ietf00_4.txt", "pass", "permerror", becauseDraft},
	{"dkim-fastmail/good_ietf01_1.txt", "pass", "permerror", becauseDraft},
	{"dkim-fastmail/good_qp_2.txt", "pass", "policy", becauseSHA1},
	{"dkim-fastmail/good_rfc4871_3.txt", "pass", "policy", becauseSHA1},
	{"dkim-fastmail/mine_ietf01_1.txt", "pass", "permerror", becauseDraft},
	{"dkim-fastmail/mine_ietf01_3.txt", "pass", "permerror", becauseDraft},
	{"dkim-fastmail/mine_ietf01_4.txt", "pass", "permerror", becauseDraft},
	{"dkim-fastmail/multiple_1.txt", "pass", "permerror permerror permerror permerror", becauseDraft},
	{"dkim-fastmail/multiple_2.txt", "pass", "policy policy policy permerror", becauseSHA1 + "; one is malformed"},
	{"dkim-fastmail/no_body_1.txt", "pass", "permerror", becauseDraft},
	{"dkim-fastmail/no_body_3.txt", "pass", "permerror", becauseDraft},
}

// TestTheCorpora: all results of all sets, but for the deviations.
func TestTheCorpora(t *testing.T) {
	for _, set := range []struct {
		name string
		load func(*testing.T) []vector
	}{
		{"dkim-fastmail", fastmail}, {"dkim-chasquid", chasquid}, {"dkim-mail-auth", mailAuth},
		{"dkim-dkimpy", dkimpy}, {"dkim-mailauth", mailauth}, {"dkim-mimekit", mimekit},
	} {
		t.Run(set.name, func(t *testing.T) {
			if _, err := os.Stat(corpora + set.name); err != nil {
				t.Skip("../shared/corpora/" + set.name + " is not here")
			}
			vectors, agreed := set.load(t), 0
			for _, v := range vectors {
				if v.check(t) {
					agreed++
				}
			}
			t.Logf("%d of %d agree", agreed, len(vectors))
		})
	}
}

// check compares with the set and with another implementation.
func (v *vector) check(t *testing.T) (agrees bool) {
	t.Helper()
	results := verify(t, v.keys, v.message, v.now)
	var words, ours []string
	for _, r := range results {
		words = append(words, string(r.Result))
		if r.Result == authres.Pass {
			ours = append(ours, "pass")
		} else {
			ours = append(ours, "fail")
		}
	}
	verdict := strings.Join(ours, " ")
	if v.whole && slices.Contains(ours, "pass") {
		verdict = "pass"
	} else if v.whole && len(ours) > 0 {
		verdict = "fail"
	}
	agrees = verdict == v.theirs
	row := slices.IndexFunc(deviations, func(d deviation) bool { return d.name == v.name })
	switch {
	case row < 0 && !agrees:
		t.Errorf("%s: the set says %q, here it is %q: %+v", v.name, v.theirs, verdict, results)
	case row >= 0 && agrees:
		t.Errorf("%s agrees now: take it out of the table", v.name)
	case row >= 0 && (deviations[row].ours != strings.Join(words, " ") || deviations[row].theirs != v.theirs):
		t.Errorf("%s: %q and %q, the table says otherwise", v.name, v.theirs, strings.Join(words, " "))
	}
	oracle(t, v, results)
	return agrees
}

// oracle compares with another implementation: what it lets pass, we let pass.
func oracle(t *testing.T, v *vector, ours []dkim.Signature) {
	t.Helper()
	theirs, err := msgdkim.VerifyWithOptions(strings.NewReader(v.message), &msgdkim.VerifyOptions{
		LookupTXT: func(domain string) ([]string, error) { return v.keys.LookupTXT(context.Background(), domain) },
	})
	if err != nil || len(theirs) != len(ours) {
		return
	}
	for i, s := range theirs {
		if s.Err == nil && ours[i].Result != authres.Pass {
			t.Errorf("%s: signature %d passes elsewhere, here it is %+v", v.name, i, ours[i])
		}
	}
}

// TestNothingPassesThatWasChanged: whatever passes in a set, passes no more with a byte more.
func TestNothingPassesThatWasChanged(t *testing.T) {
	tried := 0
	for _, load := range []func(*testing.T) []vector{fastmail, chasquid, mailAuth, dkimpy, mailauth, mimekit} {
		for _, v := range load(t) {
			for i, before := range verify(t, v.keys, v.message, v.now) {
				if before.Result != authres.Pass {
					continue
				}
				tried++
				for rule, changed := range map[string]string{
					"a longer body": v.message + "More.\r\n",
					"another From":  strings.Replace(v.message, "\r\nFrom: ", "\r\nFrom: x", 1),
				} {
					if after := verify(t, v.keys, changed, v.now)[i]; after.Result == authres.Pass {
						t.Errorf("%s, signature %d: %s passes", v.name, i, rule)
					}
				}
			}
		}
	}
	if tried == 0 {
		t.Skip("the sets of ../shared/corpora are not here")
	}
	t.Logf("%d signatures that pass", tried)
}
