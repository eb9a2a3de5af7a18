package doctor_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/doctor"
)

// told returns the checks of a name that are not well.
func told(r doctor.Report, name string) (all []doctor.Check) {
	for _, c := range r.Checks {
		if c.Name == name && c.Severity != doctor.OK {
			all = append(all, c)
		}
	}
	return all
}

const secondMX = "MX 10 mx.in.example.\nin.example. MX 20 elsewhere.example."

// TestAProposedPolicyNamesEveryHostOfTheDomain: with enforce it would cut off a back-up.
func TestAProposedPolicyNamesEveryHostOfTheDomain(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{
		"a back-up": secondMX, "one that comes first": "MX 10 mx.in.example.\nin.example. MX 5 elsewhere.example.",
		"beside an alias": secondMX + "\nin.example. MX 5 alias.in.example.\nalias.in.example. CNAME mx.in.example.",
	} {
		w := newWorld(t)
		replace(mxRecord, record)(w)
		replace(`_mta-sts.in.example.   TXT  "v=STSv1; id=20261122"`, "")(w)
		got := told(w.examine(), "mta_sts")
		if len(got) != 1 || got[0].Severity != doctor.Info || !strings.Contains(got[0].Fix, "mode: testing\n  mx: mx.in.example\n  mx: elsewhere.example\n  max_age: 86400\n") ||
			strings.Contains(got[0].Fix, "alias") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestACureKeepsWhatAPolicyHas: neither its mode nor its other hosts are doctor's to change.
func TestACureKeepsWhatAPolicyHas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ zone, policy, want string }{
		"without our host": {mxRecord, "mode: enforce\nmx: mail.example.com\nmx: *.other.example\nmax_age: 604800\n",
			"  mode: enforce\n  mx: mail.example.com\n  mx: *.other.example\n  mx: mx.in.example\n  max_age: 604800\n"},
		"without the back-up": {secondMX, "mode: enforce\nmx: *.in.example\nmax_age: 604800\n", "  mode: enforce\n  mx: *.in.example\n  mx: elsewhere.example\n  max_age: 604800\n"},
		"with a wrong line":   {mxRecord, "mode: enforce\nnonsense\nmx: https://x\nmx: mx.in.example\nmax_age: 604800\n", "  mode: enforce\n  mx: mx.in.example\n  max_age: 604800\n"},
	} {
		w := newWorld(t)
		replace(mxRecord, c.zone)(w)
		w.policy = policyFile("version: STSv1\n" + c.policy)
		got := told(w.examine(), "mta_sts")
		if len(got) != 1 || !strings.Contains(got[0].Fix, c.want) || !strings.Contains(got[0].Fix, `TXT "v=STSv1; id=2`) || strings.Contains(got[0].Fix, "WEB-SERVER") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestWhereAPolicyMayBeRightNoOtherIsProposed: what keeps senders from it is another thing.
func TestWhereAPolicyMayBeRightNoOtherIsProposed(t *testing.T) {
	t.Parallel()
	for name, breaking := range map[string]func(w *world){
		"malformed id": replace("id=20261122", "id=2026-11-22"),
		"redirect": func(w *world) {
			w.policy = http.RedirectHandler("https://x.example/", http.StatusMovedPermanently).ServeHTTP
		},
		"type": func(w *world) {
			w.policy = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") }
		},
		"certificate": func(w *world) {
			w.site[0] = issue(w.t, w.middle, "www.in.example", false, time.Now().Add(time.Hour*9999), w.siteKey)
		},
	} {
		w := newWorld(t)
		breaking(w)
		got := told(w.examine(), "mta_sts")
		if len(got) != 1 || got[0].Severity != doctor.Error || strings.Contains(got[0].Fix, "mode:") || strings.Contains(got[0].Fix, " IN A ") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAHostnameThatNoRecordMayNameGetsNoRecord: following one would break what is right.
func TestAHostnameThatNoRecordMayNameGetsNoRecord(t *testing.T) {
	t.Parallel()
	for _, hostname := range []string{"localhost", "mx.localdomain"} {
		w := newWorld(t)
		w.yaml = strings.ReplaceAll(w.yaml, "hostname: mx.in.example", "hostname: "+hostname)
		replace(`_mta-sts.in.example.   TXT  "v=STSv1; id=20261122"`, "")(w)
		r := w.examine()
		for _, c := range r.Checks {
			if strings.Contains(c.Fix, hostname) {
				t.Errorf("%s: %+v", hostname, c)
			}
		}
		if got := told(r, "address"); len(got) != 1 || got[0].Severity != doctor.Error || !strings.Contains(got[0].Fix, "set hostname:") {
			t.Errorf("%s: %+v", hostname, got)
		}
		if got := told(r, "mx"); len(got) != 1 || !strings.Contains(got[0].Fix, "set hostname: mx.in.example in") {
			t.Errorf("%s: %+v", hostname, got)
		}
	}
}

// TestAPolicyIsNotKeptWithoutAGoodCertificate: the certificate has its own finding, and
// so has the promise.
func TestAPolicyIsNotKeptWithoutAGoodCertificate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaking                  func(w *world)
		certificate, cure, policy string
	}{
		"expired": {issued("mx.in.example", -time.Hour), "has expired", "certbot renew", "ours has expired"},
		"foreign": {issued("www.in.example", 999*time.Hour), "for www.in.example and not for mx.in.example", "get one for mx.in.example", "ours is not for mx.in.example"},
		"without its middle": {func(w *world) { w.chain = w.chain[:1] }, `"Test Intermediate" is missing`, "fullchain.pem",
			"an authority has signed"},
	} {
		w := newWorld(t)
		c.breaking(w)
		r := w.examine()
		if got := told(r, "certificate"); len(got) != 1 || got[0].Severity != doctor.Error || !strings.Contains(got[0].Found, c.certificate) || !strings.Contains(got[0].Fix, c.cure) {
			t.Errorf("%s: %+v", name, got)
		}
		if got := told(r, "mta_sts"); len(got) != 1 || got[0].Severity != doctor.Error || !strings.Contains(got[0].Found, c.policy) {
			t.Errorf("%s: %+v", name, got)
		}
		others := func(got doctor.Check) bool {
			return got.Severity == doctor.Error && got.Name != "certificate" && got.Name != "mta_sts"
		}
		if slices.ContainsFunc(r.Checks, others) {
			t.Errorf("%s: %+v", name, r.Checks)
		}
	}
}

func TestOfMXRecordsThatAreWrongNobodySaysThatTheyFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	replace(mxRecord, "MX 10 elsewhere.example.")(w)
	for _, c := range w.examine().Checks {
		if c.Name == "mta_sts" && strings.Contains(c.Found, "fit") {
			t.Errorf("%+v", c)
		}
	}
}
