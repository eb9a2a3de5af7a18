package arc_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"mxhook/verify/authres"
	"mxhook/verify/dns"
)

type suite struct {
	Description string
	Tests       map[string]struct{ Message, CV string }
	Records     map[string]string `json:"txt-records"`
}

// suites are the validation cases; none where they are not here.
func suites() (list []suite) {
	data, err := os.ReadFile("../../../shared/corpora/arc-valimail/arc-draft-validation-tests.json")
	if err == nil && json.Unmarshal(data, &list) != nil {
		panic("the suite is no JSON")
	}
	return list
}

func (s *suite) zone(t *testing.T) *dns.Zone {
	t.Helper()
	var text strings.Builder
	for name, record := range s.Records {
		text.WriteString(txt(name, record))
	}
	z, err := dns.ParseZone(text.String())
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// undecided are the cases for which the suite, which is older than the standard, names
// no result, and the one of RFC 8617 5.2 with its step.
var undecided = map[string]authres.Result{
	"cv_fail_i1_as_cv_fail": authres.Fail, // step 2: the highest instance says cv=fail
	"cv_fail_i2_as1_fail":   authres.Fail, // step 3C: no cv may be fail
}

// deviations are the cases whose result here is not the suite's, and why. The test
// fails when one of them agrees.
var deviations = map[string]string{}

func TestTheValidationSuite(t *testing.T) {
	ran := 0
	for _, s := range suites() {
		z := s.zone(t)
		for name, c := range s.Tests {
			ran++
			want, open := undecided[name]
			if !open {
				want = authres.Result(strings.ToLower(c.CV))
			}
			_, e := validate(t, z, crlf(c.Message))
			_, known := deviations[name]
			if (e.Result == want) == known {
				t.Errorf("%s: %s: %+v, the suite says %s", s.Description, name, e, want)
			}
			if (e.Result == authres.Fail) != (e.Reason != "") {
				t.Errorf("%s: reason %q of %s", name, e.Reason, e.Result)
			}
		}
	}
	if ran == 0 {
		t.Skip("../shared/corpora/arc-valimail is not here")
	}
	t.Logf("%d cases, %d deviations", ran, len(deviations))
}

func TestAMessageOfTwoSealersWithTwoAlgorithms(t *testing.T) {
	data, err := os.ReadFile("../../../shared/corpora/arc-mail-auth/002.txt")
	if err != nil {
		t.Skip("../shared/corpora/arc-mail-auth is not here: ", err)
	}
	keys, message, _ := strings.Cut(crlf(string(data)), "\r\n\r\n")
	var text strings.Builder
	for line := range strings.Lines(keys) {
		name, record, _ := strings.Cut(strings.TrimSpace(line), " ")
		text.WriteString(txt(name, record))
	}
	z, err := dns.ParseZone(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, e := validate(t, z, message); e.Result != authres.Pass || e.Length != 2 || e.OldestPass != 0 ||
		strings.Join(e.Sealers, " ") != "scamorza.org manchego.org" {
		t.Errorf("%+v", e)
	}
	if _, e := validate(t, z, message+"More.\r\n"); e.Result != authres.Fail {
		t.Errorf("longer: %+v", e)
	}
}
