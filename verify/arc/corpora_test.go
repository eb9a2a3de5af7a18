package arc_test

import (
	"os"
	"strings"
	"testing"

	"mxhook/verify/authres"
)

const corpora = "../../../shared/corpora/"

// google is the public key of Google's seals of 2016 to 2023, for chains that come
// without it.
const google = "k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Lztpxs7yUxQEsbDFhjMc9kZVZu5P/COYEUIX4B39IL4SXAbv4viIlT9E6F6iZmTh1go7+9WQLywwgwjXMJx/Dz0RgMoPeyp5NRy4l320DPYibNqVMWa5iQ2WiImQC0en1O9uhLLvzaSZJ03fvGmCo9jMo0GwKzLNe14xMgn/px2L5N/3IKlKX4bqUAJTUt8L993ZlWzvgMnSFSt8B+euSKSrtAiopdy4r1yO4eN5goBASrGW0eLQc1lYouNvCrcTQpos4/GEAqiGzpqueJLmBfOO4clNvVvpPkvQs2BHw9I9LmIjaMxTNGxkGBRaP3utDiKXXqu1K+LRzl0HCNSdQIDAQAB"

// chain is a message of real sealers, and what is known of it.
type chain struct {
	question
	want           authres.Result
	length, oldest int
}

// chains are those of the sets that have no results of their own but their files' names.
func chains(t *testing.T) (list []chain) {
	t.Helper()
	read := func(file string) (string, bool) {
		data, err := os.ReadFile(corpora + file)
		return crlf(string(data)), err == nil
	}
	for _, c := range []struct {
		name           string
		want           authres.Result
		length, oldest int
	}{
		{"arc-pass2.eml", authres.Pass, 2, 0},
		{"arc-fail3.eml", authres.Fail, 2, 0}, // i=2 says cv=fail
		{"authtest.eml", authres.Pass, 1, 0},
		{"bimi.eml", authres.Pass, 1, 0},
		{"message3.eml", authres.Pass, 1, 0},
		{"zproov.eml", authres.None, 0, 0},
	} {
		if message, ok := read("dkim-mailauth/fixtures/" + c.name); ok {
			q := question{"dkim-mailauth/" + c.name, message, map[string]string{"arc-20160816._domainkey.google.com": google}}
			list = append(list, chain{q, c.want, c.length, c.oldest})
		}
	}
	if text, ok := read("arc-mail-auth/002.txt"); ok {
		keys, message, _ := strings.Cut(text, "\r\n\r\n")
		records := map[string]string{}
		for line := range strings.Lines(keys) {
			name, record, _ := strings.Cut(strings.TrimSpace(line), " ")
			records[name] = record
		}
		list = append(list, chain{question{"arc-mail-auth/002.txt", message, records}, authres.Pass, 2, 0})
	}
	return list
}

func TestTheChainsOfRealSealers(t *testing.T) {
	all := chains(t)
	if len(all) == 0 {
		t.Skip("../shared/corpora is not here")
	}
	for _, c := range all {
		s := suite{Records: c.Records}
		z := s.zone(t)
		_, e := validate(t, z, c.Message)
		if e.Result != c.want || e.Length != c.length || e.OldestPass != c.oldest {
			t.Errorf("%s: %+v", c.name, e)
		}
		if e.Result != authres.Pass {
			continue
		}
		for rule, changed := range map[string]string{
			"longer":            c.Message + "More.\r\n",
			"other results":     strings.Replace(c.Message, "ARC-Authentication-Results: i=1;", "ARC-Authentication-Results: i=1; x;", 1),
			"the newest's seal": strings.Replace(c.Message, "ARC-Seal: ", "ARC-Seal: x=y; ", 1),
		} {
			if _, e := validate(t, z, changed); changed == c.Message || e.Result != authres.Fail {
				t.Errorf("%s, %s: %+v", c.name, rule, e)
			}
		}
	}
	t.Logf("%d chains", len(all))
}
