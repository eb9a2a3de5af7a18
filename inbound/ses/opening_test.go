package ses

import (
	"net/netip"
	"strings"
	"testing"

	"mxhook/inbound"
)

func openingOf(t testing.TB, content, id string) opening {
	t.Helper()
	d := inbound.NewMailData([]byte(content))
	defer d.Release()
	o, err := readOpening(d, id)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOnlyWhatSESWroteCounts(t *testing.T) {
	replace := func(old, by string) string {
		if !strings.Contains(written, old) {
			t.Fatalf("%q is not there", old)
		}
		return strings.Replace(written, old, by, 1)
	}
	forged := strings.ReplaceAll(written, "192.0.2.1", "198.51.100.7")
	for rule, c := range map[string]struct {
		content string
		ip      string
		virus   inbound.Verdict
	}{
		"as SES writes it":                        {written + sent, "192.0.2.1", "fail"},
		"the sender wrote the same below":         {written + forged + sent, "192.0.2.1", "fail"},
		"the sender wrote it, SES wrote nothing":  {strings.Replace(forged, id, "guess", 1) + sent, "", ""},
		"the sender's field stands before SES's":  {"X-SES-Virus-Verdict: PASS\r\n" + written + sent, "", ""},
		"SES's fields stand somewhere below":      {sent[:strings.Index(sent, "\r\n")+2] + written, "", ""},
		"another host's name":                     {replace("inbound-smtp.eu-central-1.amazonaws.com", "inbound-smtp.eu-central-1.amazonaws.com.evil.example") + sent, "", ""},
		"no name of the client":                   {replace("(mail.sender.example [192.0.2.1])", "([192.0.2.1])") + sent, "192.0.2.1", "fail"},
		"IPv6":                                    {strings.ReplaceAll(replace("[192.0.2.1]", "[IPv6:2001:db8::1]"), "192.0.2.1", "2001:db8::1") + sent, "2001:db8::1", "fail"},
		"two addresses that differ":               {replace("client-ip=192.0.2.1; envelope", "client-ip=198.51.100.7; envelope") + sent, "", ""},
		"an address that is none":                 {replace("[192.0.2.1]", "[999.0.2.1]") + sent, "", ""},
		"an EHLO with a clause of its own":        {replace("from mail.sender.example (", "from a (b [198.51.100.7]) by inbound-smtp.eu-central-1.amazonaws.com with SMTP id x; d (") + sent, "", ""},
		"no scan, and the sender's verdict":       {strings.Replace(replace("X-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: FAIL\r\n", ""), "X-SES-RECEIPT", "X-SES-Virus-Verdict: PASS\r\nX-SES-RECEIPT", 1) + sent, "192.0.2.1", ""},
		"results of another":                      {replace("amazonses.com;", "evil.example;") + sent, "192.0.2.1", ""},
		"results whose name begins like SES's":    {replace("amazonses.com;", "amazonses.com.evil.example;") + sent, "192.0.2.1", ""},
		"bare line feeds":                         {strings.ReplaceAll(written+sent, "\r\n", "\n"), "192.0.2.1", "fail"},
		"a bare CR hides a field":                 {replace(" by inbound", "\r by inbound") + sent, "", ""},
		"the field goes on where we stop to read": {"Received: from x" + strings.Repeat(" ", maxOpening) + "\r\n", "", ""},
		"nothing":                                      {"", "", ""},
		"a body alone":                                 {"\r\n" + written, "", ""},
		"an Authentication-Results first":              {"Authentication-Results: amazonses.com; dmarc=pass\r\n" + written + sent, "", ""},
		"the date holds a second clause":               {replace("10:00:00 +0000", "; x") + sent, "", ""},
		"a field of the sender between SES's, by fold": {replace("X-SES-Spam-Verdict: PASS", "X-SES-Spam-Verdict: PASS\r\nX-Y: z") + sent, "192.0.2.1", ""},
	} {
		o := openingOf(t, c.content, id)
		var want netip.Addr
		if c.ip != "" {
			want = netip.MustParseAddr(c.ip)
		}
		if o.remoteIP != want || o.virus != c.virus {
			t.Errorf("%s: %+v", rule, o)
		}
	}
	if o := openingOf(t, written+sent, "other"); o.known || o.hasReversePath {
		t.Errorf("the id of another: %+v", o)
	}
	if o := openingOf(t, written+sent, id); o.spf != "" || o.spam != "pass" || o.recipient != "support@in.example" {
		t.Errorf("%+v", o)
	}
	for word, want := range map[string]inbound.Verdict{"fail": "fail", "softfail": "gray", "none": "gray", "neutral": "gray", "temperror": "", "pass": ""} {
		if o := openingOf(t, replace("Received-SPF: pass", "Received-SPF: "+word)+sent, id); o.spf != want {
			t.Errorf("Received-SPF: %s is %q", word, o.spf)
		}
	}
}

func FuzzOpening(f *testing.F) {
	f.Add(written+sent, id)
	f.Add(sent, id)
	f.Add("Return-Path: <>\nReceived: from a ([1.2.3.4]) by inbound-smtp.x.amazonaws.com with SMTP id y; \n", "y")
	f.Fuzz(func(t *testing.T, content, id string) {
		o := openingOf(t, content, id)
		if o.remoteIP.IsValid() && !o.known || o.known && !strings.Contains(content, id) {
			t.Errorf("%+v of %q", o, content)
		}
		if strings.ContainsAny(o.helo+o.recipient, " \r\n\x00") {
			t.Errorf("%+v of %q", o, content)
		}
	})
}
