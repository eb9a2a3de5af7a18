package doctor

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// policy is an MTA-STS policy (RFC 8461 3.2).
type policy struct {
	mode   string // enforce, testing or none
	maxAge int64  // seconds
	mx     []string
}

// maxPolicyAge is the most that max_age may be.
const maxPolicyAge = 31_557_600

// soonAge is below which max_age hardly protects: who is in between waits a day.
const soonAge = 86_400

// parsePolicy reads a policy file. The error says what is wrong with it first; what is
// right is in p all the same, so that a cure can keep it.
func parsePolicy(body string) (p policy, err error) {
	var wrong error
	seen := map[string]bool{}
	for i, line := range strings.Split(strings.ReplaceAll(body, "\r\n", "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		key, value, found := strings.Cut(line, ":")
		if !found {
			wrong = cmp.Or(wrong, fmt.Errorf("line %d, %s, has no colon", i+1, quoted(line)))
			continue
		}
		key, value = strings.TrimSpace(key), strings.Trim(value, " \t")
		if seen[key] && key != "mx" { // the first counts
			continue
		}
		seen[key] = true
		wrong = cmp.Or(wrong, p.set(key, value))
	}
	switch {
	case wrong != nil:
		return p, wrong
	case !seen["version"]:
		return p, fmt.Errorf("version is missing")
	case !seen["mode"]:
		return p, fmt.Errorf("mode is missing")
	case !seen["max_age"]:
		return p, fmt.Errorf("max_age is missing")
	case len(p.mx) == 0 && p.mode != "none":
		return p, fmt.Errorf("mx is missing")
	}
	return p, nil
}

func (p *policy) set(key, value string) error {
	switch key {
	case "version":
		if value != "STSv1" {
			return fmt.Errorf("version is %s and must be STSv1", quoted(value))
		}
	case "mode":
		if value != "enforce" && value != "testing" && value != "none" {
			return fmt.Errorf("mode is %s and must be enforce, testing or none", quoted(value))
		}
		p.mode = value
	case "max_age":
		age, err := strconv.ParseInt(value, 10, 64)
		if err != nil || age < 0 || age > maxPolicyAge {
			return fmt.Errorf("max_age is %s and must be a number of seconds, at most %d", quoted(value), maxPolicyAge)
		}
		p.maxAge = age
	case "mx":
		if rest := strings.TrimPrefix(value, "*."); rest == "" || len(rest) > 253 || strings.ContainsAny(rest, "*:/ ") {
			return fmt.Errorf("mx is %s and must be a host or *. and a domain", quoted(value))
		}
		p.mx = append(p.mx, plain(value))
	}
	return nil
}

// takes tells whether a pattern of the policy stands for a host (RFC 8461 4.1): * is
// one label.
func (p *policy) takes(host string) bool {
	_, above, _ := strings.Cut(host, ".")
	for _, m := range p.mx {
		if m == host || strings.HasPrefix(m, "*.") && above != "" && m[2:] == above {
			return true
		}
	}
	return false
}

// stsRecord reads one TXT record of _mta-sts (RFC 8461 3.1); why says what is wrong.
func stsRecord(text string) (id, why string) {
	for i, field := range strings.Split(text, ";") {
		name, value, found := strings.Cut(strings.TrimSpace(field), "=")
		switch {
		case i == 0 && strings.TrimSpace(field) != "v=STSv1":
			return "", "it must begin with v=STSv1;"
		case strings.TrimSpace(field) == "", i == 0:
		case !found:
			return "", "a field has no ="
		case name == "id" && (value == "" || len(value) > 32 || strings.Trim(value, alphanumeric) != ""):
			return "", "id must be 1 to 32 letters and digits"
		case name == "id":
			id = value
		}
	}
	if id == "" {
		return "", "id is missing"
	}
	return id, ""
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
