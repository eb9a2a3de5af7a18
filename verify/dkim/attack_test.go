package dkim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/dkim"
	"mxhook/verify/dns"
	"mxhook/verify/internal/cputime"
)

// attack verifies a message and counts what it made us do.
func attack(t *testing.T, z *dns.Zone, message string) (results []dkim.Signature, questions int, read int64) {
	t.Helper()
	content, r := &counted{Reader: strings.NewReader(message)}, &counter{Zone: z}
	header, body, err := dkim.ReadHeader(content, content.Size())
	if err != nil {
		t.Fatal(err)
	}
	content.n.Store(0)
	ctx := context.Background()
	results = dkim.Verify(ctx, ctx, r, dkim.Message{Header: header, Content: content, Body: body, Size: content.Size()}, time.Now())
	return results, r.n, content.n.Load()
}

// TestWhatTheFieldDecidesCostsNothing: no question, no octet of the body.
func TestWhatTheFieldDecidesCostsNothing(t *testing.T) {
	for rule, edit := range map[string][2]string{
		"expired":               {"v=1", "v=1; x=1"},
		"from the future":       {"v=1", "v=1; t=99999999999"},
		"ends before it begins": {"v=1", "v=1; t=2; x=1"},
		"From not signed":       {"h=From", "h=To:Subject"},
		"i= of another domain":  {"v=1", "v=1; i=a@bank.example"},
		"a tag twice":           {"v=1", "v=1; v=1"},
		"a thousand tags":       {"v=1", tags(1000) + "v=1"},
		"a long tag":            {"v=1", "v=1; z=" + strings.Repeat("x", 100_000)},
		"rsa-sha1":              {"a=ed25519-sha256", "a=rsa-sha1"},
		"an unknown algorithm":  {"a=ed25519-sha256", "a=rsa-md5"},
		"an unknown form":       {"c=relaxed", "c=nofws"},
		"another query method":  {"v=1", "v=1; q=http"},
		"a huge signature":      {"b=", "b=" + strings.Repeat("AAAA", 10_000)},
		"l= of no number":       {"v=1", "v=1; l=all"},
		"d= of no domain":       {"d=sender.example", "d=" + strings.Repeat("a.", 5000)},
		"s= of no selector":     {"s=ed", "s=" + strings.Repeat("a.", 5000)},
	} {
		message := retag(t, func(s string) string {
			if strings.HasPrefix(edit[0], "b=") {
				return strings.TrimSuffix(s, "b=") + edit[1]
			}
			return strings.Replace(s, edit[0], edit[1], 1)
		}, edKey())
		field, rest, _ := strings.Cut(message, "\r\nFrom:")
		results, questions, read := attack(t, zone(t), strings.Repeat(field+"\r\n", 5)+"From:"+rest)
		if len(results) != 5 || results[0].Result == authres.Pass || questions != 0 || read != 0 {
			t.Errorf("%s: %d questions, %d octets of the body, %+v", rule, questions, read, results[0])
		}
	}
}

// TestKeysThatCantVerifyCostOneQuestion: what the record decides asks nothing further,
// whatever number of signatures names it.
func TestKeysThatCantVerifyCostOneQuestion(t *testing.T) {
	field, rest, _ := strings.Cut(retag(t, func(s string) string { return s }, rsaKey()), "\r\nFrom:")
	message := strings.Repeat(field+"\r\n", 1000) + "From:" + rest
	const name = "rsa._domainkey.sender.example"
	many := ""
	for i := range 50 {
		many += txt(name, fmt.Sprintf("v=DKIM1; n=%d; %s", i, keyRecord(rsaKey())))
	}
	for rule, c := range map[string]struct {
		records string
		want    authres.Result
	}{
		"512 bits":     {txt(name, "p="+short()), authres.Policy},
		"8193 bits":    {txt(name, "p="+ones(8193)), authres.Policy},
		"8192 bits":    {txt(name, "p="+ones(8192)), authres.Fail},
		"fifty TXT":    {many, authres.PermError},
		"revoked":      {txt(name, "p="), authres.PermError},
		"a long one":   {txt(name, "n="+strings.Repeat("x", 20_000)+"; "+keyRecord(rsaKey())), authres.PermError},
		"not for mail": {txt(name, keyRecord(rsaKey())+"; s=web"), authres.PermError},
	} {
		z, err := dns.ParseZone(c.records)
		if err != nil {
			t.Fatal(err)
		}
		results, questions, read := attack(t, z, message)
		if questions != 1 || len(results) != dkim.MaxSignatures || results[0].Result != c.want || results[dkim.MaxVerified-1].Result != c.want || read > int64(len("x\r\n")) {
			t.Errorf("%s: %d questions, %d octets of the body, %+v", rule, questions, read, results[0])
		}
	}
}

// TestNamesWithoutEndCostNoMoreThanText: ten signatures that each name ten thousand
// fields, in a header that has as many.
func TestNamesWithoutEndCostNoMoreThanText(t *testing.T) {
	fields := strings.Repeat("x: y\r\n", 10_000)
	for rule, names := range map[string]string{
		"all of them":       "From" + strings.Repeat(":x", 10_000),
		"none of them":      "From" + strings.Repeat(":z", 10_000),
		"each another":      "From:" + strings.ReplaceAll(tags(10_000), "=y; ", ":") + "x",
		"From, and From on": "From" + strings.Repeat(":From", 10_000),
	} {
		field, rest, _ := strings.Cut(retag(t, func(s string) string { return strings.Replace(s, "h=From", "h="+names, 1) }, edKey()), "\r\nFrom:")
		message := strings.Repeat(field+"\r\n", 10) + fields + "From:" + rest
		begin := cputime.Used()
		results, questions, _ := attack(t, zone(t), message)
		// Far above what it costs, far below a square, also under the race detector.
		if took := cputime.Used() - begin; took > 5*time.Second {
			t.Errorf("%s: %v", rule, took)
		} else {
			t.Logf("%s: %d bytes, %v", rule, len(message), took)
		}
		if len(results) != 10 || questions > 1 || len(results[0].Oversigned) > 32 {
			t.Errorf("%s: %d questions, %+v", rule, questions, results)
		}
	}
}
