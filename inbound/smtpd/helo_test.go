package smtpd

import "testing"

func TestArgumentsOfEHLO(t *testing.T) {
	for _, good := range []string{"a", "mail.sender.example", "mail.sender.example.", "my_host.local", "xn--mller-kva.example", "192.0.2.1", "[192.0.2.1]",
		"[IPv6:2001:db8::1]", "[ipv6:::1]", "[2001:db8::1]", "2001:db8::1", "-", "WIN-7"} {
		if cmd := parse([]byte("EHLO "+good), false); cmd.fault != nil || cmd.helo != good {
			t.Errorf("%q: %v", good, cmd.fault)
		}
	}
	for _, bad := range []string{"", ".", "..", "a..b", ".a", "a b", "a@b", "a:b", "[", "[]", "[foo]", "[foo", "[1.2.3]", "[192.0.2.1", "[192.0.2.1]x", "192.0.2.1]",
		"[IPv6:zz]", "[IPv6:]", "[IPv6:::1]x", "[fe80::1%eth0]", "[192.0.2.1:25]", "a[b", "ä.example", "a;b", "<a>", "a/b", "::1%x y"} {
		if cmd := parse([]byte("EHLO "+bad), false); cmd.fault == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
