package s3

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mxhook/inbound"
	"mxhook/sinks"
)

func TestPrefixes(t *testing.T) {
	for prefix, why := range map[string]string{
		"": "", "in/": "", "in/{route}/{year}/{month}/{day}/": "", "{domain}/": "", "year={year}/": "", "{route}": "",
		"/in/": "empty part", "in//": "empty part", "in/../": "part . or ..", "./": "part . or ..", "in/..": "part . or ..",
		"in/{sender}/": "placeholders", "in/{route/": "placeholders", "in}/": "has \"}\"", "a b/": "has \" \"", "é/": "has", "{day}{day}": "twice",
		strings.Repeat("a", 385): "384", "a\\b": "has", "a?b": "has", "a%2e": "has",
	} {
		_, got := parsePrefix(prefix)
		if (got == "") != (why == "") || !strings.Contains(got, why) {
			t.Errorf("%q: %q, want %q", prefix, got, why)
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("in/{route}/{domain}/", "tickets", "in.example")
	f.Add("{domain}/{route}", "..", "")
	f.Add("{route}{domain}/", strings.Repeat("ü", 300), "[IPv6:::1]")
	f.Add("a/{domain}", "a/b", "\x00\r\n../")
	f.Fuzz(func(t *testing.T, prefix, route, domain string) {
		p, why := parsePrefix(prefix)
		if why != "" {
			t.Skip()
		}
		e := &sinks.Event{ID: "msg_abcdefghijklmnopqrstuvwxyz", Route: route, ReceivedAt: time.Unix(0, 0),
			Recipients: []sinks.Recipient{{Path: inbound.Path{LocalPart: "a", Domain: domain}}}}
		key := p.expand(e) + e.ID + "/123456789"
		if len(key) > 1024 || !utf8.ValidString(key) || strings.HasPrefix(key, "/") || strings.Contains(key, "//") {
			t.Errorf("%q", key)
		}
		for part := range strings.SplitSeq(key, "/") {
			if part == "." || part == ".." || part == "" {
				t.Errorf("%q", key)
			}
		}
		if strings.Count(key, "/") != strings.Count(prefix, "/")+1 {
			t.Errorf("%q: a value of the mail made a folder", key)
		}
	})
}

func TestNoTwoNamesHaveTheSameKey(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"", "%", "a", "A", "a/b", "a%2Fb", "a%252Fb", ".", "..", "...", "%2E", "a.b", "ü", "%C3%BC", strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("a", 255)} {
		key := escape(name)
		if other, there := seen[key]; there {
			t.Errorf("%q and %q are both %q", name, other, key)
		}
		seen[key] = name
	}
}
