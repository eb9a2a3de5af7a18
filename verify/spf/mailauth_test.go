package spf_test

import (
	"fmt"
	"slices"
	"strings"
)

// mailAuth reads a file of the suite of mail-auth line by line: its keys repeat. Records
// stand for the scenario, "spf" within the tests replaces that name's record from there on.
func mailAuth(file, text string) (scenarios []scenario) {
	for n, part := range strings.Split(text, "\n---") {
		base := source{Trouble: []string{"_dns_error.test.org"}}
		inTests := false
		var c trial
		var zones []source
		for _, line := range strings.Split(part, "\n") {
			key, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "- "), ": ")
			value = strings.TrimSpace(value)
			if key == "tests:" {
				inTests, zones = true, []source{base}
			}
			if !ok || strings.HasPrefix(line, "#") {
				continue
			}
			switch key {
			case "domain":
				c.HELO = value
			case "sender":
				local, domain, _ := strings.Cut(value, "@")
				c.Local, c.Domain = local, domain
			case "ip":
				c.IP = value
			case "expect":
				result, explanation, _ := strings.Cut(value, " ")
				c.Name = fmt.Sprintf("%s/%d/%s/%s", file, n, c.IP, c.Domain)
				c.want, c.explanation = []string{result}, strings.TrimSpace(explanation)
				scenarios = append(scenarios, scenario{zones[len(zones)-1], []trial{c}})
			case "name":
			default:
				if !inTests {
					base.record(key, value)
					continue
				}
				next := source{Trouble: base.Trouble, Names: map[string]map[string][]any{}}
				for name, kinds := range zones[len(zones)-1].Names {
					next.Names[name] = kinds
				}
				name, _, _ := strings.Cut(value, " ")
				other := map[string][]any{}
				for kind, values := range next.Names[name] {
					if kind != "TXT" {
						other[kind] = values
					}
				}
				next.Names[name] = other
				next.record(key, value)
				zones = append(zones, next)
			}
		}
	}
	return scenarios
}

func (s *source) record(key, value string) {
	name, value, _ := strings.Cut(value, " ")
	switch key {
	case "spf", "exp":
		s.add(name, "TXT", []any{value})
	case "a", "aaaa":
		for _, ip := range strings.Split(value, ",") {
			s.add(name, strings.ToUpper(key), strings.TrimSpace(ip))
		}
	case "mx":
		for i, ip := range strings.Split(value, ",") {
			host := fmt.Sprintf("mx%d.%s", i, name)
			s.add(name, "MX", []any{i, host})
			kind := "A"
			if strings.Contains(ip, ":") {
				kind = "AAAA"
			}
			s.add(host, kind, strings.TrimSpace(ip))
		}
	case "ptr":
		octets := strings.Split(name, ".")
		slices.Reverse(octets)
		s.add(strings.Join(octets, ".")+".in-addr.arpa", "PTR", value)
	}
}
