package spf

import (
	"net/netip"
	"strings"
)

// cutLengths takes the prefix lengths from the end of an "a" or "mx" (dual-cidr-length,
// RFC 7208 12). What has not their form belongs to the domain, which may hold slashes.
func cutLengths(s string) (domain string, four, six uint8, ok bool) {
	four, six = 32, 128
	start := func() int {
		i := len(s)
		for i > 0 && digit(s[i-1]) {
			i--
		}
		return i
	}
	if i := start(); i < len(s) && i >= 2 && s[i-2:i] == "//" {
		if n, number := length(s[i:], 3); number {
			if n > 128 {
				return "", 0, 0, false
			}
			six, s = uint8(n), s[:i-2]
		}
	}
	if i := start(); i < len(s) && i >= 1 && s[i-1] == '/' {
		if n, number := length(s[i:], 2); number {
			if n > 32 {
				return "", 0, 0, false
			}
			four, s = uint8(n), s[:i-1]
		}
	}
	return s, four, six, true
}

// length reads a number of at most so many digits without leading zeros.
func length(digits string, most int) (n int, ok bool) {
	if digits == "" || len(digits) > most || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	for i := range len(digits) {
		if !digit(digits[i]) {
			return 0, false
		}
		n = 10*n + int(digits[i]-'0')
	}
	return n, true
}

func parseNetwork(value string, four bool) (netip.Prefix, bool) {
	address, digits, cut := strings.Cut(value, "/")
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Is4() != four || ip.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := ip.BitLen()
	if cut {
		n, ok := length(digits, 3)
		if !ok || n > bits {
			return netip.Prefix{}, false
		}
		bits = n
	}
	return netip.PrefixFrom(ip, bits), true
}

// isDomainSpec tells whether s is a macro-string that ends in a top label or a macro
// (RFC 7208 7.1).
func isDomainSpec(s string) bool {
	end, ok := checkMacros(s, false)
	if !ok || s == "" {
		return false
	}
	if end == len(s) {
		return true
	}
	name := strings.TrimSuffix(s[end:], ".")
	dot := strings.LastIndexByte(name, '.')
	return dot >= 0 && isTopLabel(name[dot+1:])
}

func isTopLabel(s string) bool {
	named := false
	for i := range len(s) {
		switch c := s[i]; {
		case letter(c), c == '-':
			named = true
		case !digit(c):
			return false
		}
	}
	return named && s[0] != '-' && s[len(s)-1] != '-'
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
