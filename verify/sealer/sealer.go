// Package sealer puts ARC sets on messages, for tests alone: mxhook validates chains
// and never extends one. It shares no code with what it tests.
package sealer

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
)

// Sealer is a mail system that seals. Messages have CRLF and a blank line.
type Sealer struct {
	Domain, Selector string
	Signer           crypto.Signer
	// Results is the ARC-Authentication-Results field after its instance.
	Results string
	// CV is what the seal says; "" is none for the first set and pass for others.
	CV string
	// Headers is h=; "" is "From:To:Subject:Date".
	Headers string
	// Simple is for a body that is not canonicalized relaxed.
	Simple bool
	// Instance is i=; 0 is the next one.
	Instance int
	// SignatureTags and SealTags are added: "; l=3".
	SignatureTags, SealTags string
	// SignatureDomain is d= of the message signature; "" is Domain.
	SignatureDomain string
}

var blanks = regexp.MustCompile(`[ \t]+`)

var instanceTag = regexp.MustCompile(`\bi=(\d+)`)

// relaxed is for fields without blanks but space, tab and folds.
func relaxed(field string) string {
	name, value, _ := strings.Cut(field, ":")
	return strings.ToLower(strings.TrimSpace(name)) + ":" + strings.Join(strings.Fields(value), " ") + "\r\n"
}

func split(header string) (fields []string) {
	for line := range strings.Lines(header) {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			fields[len(fields)-1] += line
		} else {
			fields = append(fields, line)
		}
	}
	return fields
}

func named(field, name string) bool {
	n, _, _ := strings.Cut(field, ":")
	return strings.EqualFold(strings.TrimSpace(n), name)
}

func (s Sealer) bodyHash(body string) string {
	if !s.Simple {
		lines := strings.Split(body, "\r\n")
		for i := range lines {
			lines[i] = strings.TrimRight(blanks.ReplaceAllString(lines[i], " "), " ")
		}
		body = strings.Join(lines, "\r\n")
	}
	if body = strings.TrimRight(body, "\r\n"); body != "" || s.Simple {
		body += "\r\n"
	}
	sum := sha256.Sum256([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (s Sealer) sign(data string) string {
	digest := sha256.Sum256([]byte(data))
	options := crypto.SignerOpts(crypto.SHA256)
	if _, ok := s.Signer.(ed25519.PrivateKey); ok {
		options = crypto.Hash(0)
	}
	sig, err := s.Signer.Sign(nil, digest[:], options)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

func (s Sealer) algorithm() string {
	if _, ok := s.Signer.(ed25519.PrivateKey); ok {
		return "ed25519-sha256"
	}
	return "rsa-sha256"
}

// Seal gives the message with one more set.
func (s Sealer) Seal(message string) string {
	header, body, _ := strings.Cut(message, "\r\n\r\n")
	fields := split(header + "\r\n")
	sets := map[string]string{}
	n := 0
	for _, f := range fields {
		for _, name := range []string{"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"} {
			if named(f, name) {
				i := instanceTag.FindStringSubmatch(f[:min(len(f), 80)])
				sets[name+i[1]] = relaxed(f)
				if name == "ARC-Seal" {
					n++
				}
			}
		}
	}
	n++
	instance := n
	if s.Instance > 0 {
		instance = s.Instance
	}
	covered := ""
	for i := 1; i < n; i++ {
		for _, name := range []string{"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"} {
			covered += sets[fmt.Sprint(name, i)]
		}
	}
	results := fmt.Sprintf("ARC-Authentication-Results: i=%d; %s\r\n", instance, s.Results)
	signature := s.signature(instance, fields, body)
	seal := fmt.Sprintf("ARC-Seal: i=%d; a=%s; cv=%s; d=%s; s=%s%s; b=", instance, s.algorithm(), s.cv(n), s.Domain, s.Selector, s.SealTags)
	covered += relaxed(results) + relaxed(signature) + strings.TrimSuffix(relaxed(seal), "\r\n")
	return seal + s.sign(covered) + "\r\n" + signature + results + message
}

func (s Sealer) cv(n int) string {
	switch {
	case s.CV != "":
		return s.CV
	case n == 1:
		return "none"
	}
	return "pass"
}

func (s Sealer) signature(instance int, fields []string, body string) string {
	domain, canon, headers := s.Domain, "relaxed/relaxed", s.Headers
	if s.SignatureDomain != "" {
		domain = s.SignatureDomain
	}
	if s.Simple {
		canon = "relaxed/simple"
	}
	if headers == "" {
		headers = "From:To:Subject:Date"
	}
	signature := fmt.Sprintf("ARC-Message-Signature: i=%d; a=%s; c=%s; d=%s; s=%s; h=%s%s;\r\n bh=%s; b=",
		instance, s.algorithm(), canon, domain, s.Selector, headers, s.SignatureTags, s.bodyHash(body))
	data := ""
	used := map[int]bool{}
	for name := range strings.SplitSeq(headers, ":") {
		for i := len(fields) - 1; i >= 0; i-- {
			if !used[i] && named(fields[i], name) {
				used[i] = true
				data += relaxed(fields[i])
				break
			}
		}
	}
	return signature + s.sign(data+strings.TrimSuffix(relaxed(signature), "\r\n")) + "\r\n"
}
