package spf

import (
	"context"
	"net/netip"
)

// Problem tells what is wrong with a record, "" if nothing is.
func Problem(text string) string {
	_, _, problem, _ := parse(nil, text)
	return problem
}

// Expand expands a domain-spec for a sender at email.example.com, whose client has no name.
func Expand(spec, ip, local, helo string) (name string, ok bool) {
	if !isDomainSpec(spec) {
		return "", false
	}
	e := evaluation{ip: netip.MustParseAddr(ip), local: local, sender: "email.example.com", helo: heloName(helo), named: true}
	name, ok, _ = e.name(context.Background(), spec, "email.example.com")
	return name, ok
}
