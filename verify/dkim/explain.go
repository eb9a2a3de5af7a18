package dkim

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"mxhook/verify/authres"
	"mxhook/verify/why"
)

// explain says how the signatures came to their results. It is not called without
// notes: it hashes again what was hashed, and tries what could have been changed.
func explain(ctx context.Context, m Message, header *Picker, all []*Check, results []Signature) {
	if len(all) == 0 {
		why.Say(ctx, "the message has no DKIM-Signature field: nobody vouches for its text. Its sender must have it signed (RFC 6376)")
	}
	for i, c := range all {
		why.Say(ctx, "signature %d of %d: d=%s s=%s a=%s, for %q", i+1, len(all), c.domain, c.selector, c.algorithm, results[i].Identity)
		c.Explain(why.Within(ctx), header, &m, results[i].Result, results[i].Reason)
	}
}

// Explain says how a signature over a message came to its result: what was hashed, with
// which key, and at a failure what is usually its cause. Without m the body is not read
// again. It is for contexts with notes (package why).
func (c *Check) Explain(ctx context.Context, header *Picker, m *Message, result authres.Result, reason string) {
	defer func() { why.Say(ctx, "%s%s", result, because(reason)) }()
	if c.problem != nil {
		c.explainProblem(ctx)
		return
	}
	c.explainTime(ctx)
	header.explainFields(ctx, c.signature)
	if !c.explainKey(ctx) || c.body == nil || c.bodyErr != nil {
		return
	}
	computed := c.body.sum
	why.Say(ctx, "body: %d octets, %s; its SHA-256 is %s, bh= says %s", c.body.size, canonical(c.relaxedBody), b64(computed), b64(c.hash))
	if !slices.Equal(computed, c.hash) {
		c.explainBody(ctx, m)
		return
	}
	digest := header.digest(c.signature)
	why.Say(ctx, "the body fits. The SHA-256 of those header fields, %s, and of the signature's own without b=, is %s", canonical(c.relaxedHead), b64(digest))
	if result == authres.Fail {
		c.explainHeader(ctx, header)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func b64(p []byte) string { return base64.StdEncoding.EncodeToString(p) }

func canonical(relaxed bool) string {
	if relaxed {
		return "in relaxed form"
	}
	return "in simple form"
}

const reasonExpired = "the signature expired"

// explainProblem tells who can do something about a field that can't be verified.
func (c *Check) explainProblem(ctx context.Context) {
	if c.signature != nil && strings.HasPrefix(c.problem.reason, reasonExpired) {
		c.explainTime(ctx)
		why.Say(ctx, "not verified: x= is over (RFC 6376 3.5). The mail waited too long on its way, somebody sends an old one again, or a clock is wrong: the signer's, or ours")
		return
	}
	why.Say(ctx, "not verified: the field alone decides (RFC 6376 6.1.1). Who signs the domain's mail must mend that")
}

func (c *Check) explainTime(ctx context.Context) {
	claims := c.claims(c.tags)
	switch signed, expires := claims.Signed, claims.Expires; {
	case !signed.IsZero() && !expires.IsZero():
		why.Say(ctx, "it was made at %s and holds until %s", signed.Format(time.RFC3339), expires.Format(time.RFC3339))
	case !signed.IsZero():
		why.Say(ctx, "it was made at %s and has no end", signed.Format(time.RFC3339))
	}
}

// maxNames is how many names of h= one line shows.
const maxNames = 40

// explainFields tells which header fields are signed, and which of those that people
// look at are not.
func (p *Picker) explainFields(ctx context.Context, s *signature) {
	names := s.headers[:min(len(s.headers), maxNames)]
	more := ""
	if n := len(s.headers) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	why.Say(ctx, "signed header fields: %s%s", strings.Join(names, ", "), more)
	if over := p.oversigned(s); len(over) > 0 {
		why.Say(ctx, "named more often than they stand there, so that none can be added: %s", strings.Join(over, ", "))
	}
	var open []string
	for _, name := range []string{"subject", "to", "date", "reply-to", "content-type"} {
		if len(p.fields[name]) > 0 && !slices.Contains(s.headers, name) {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		why.Say(ctx, "not signed, so that anybody on the way can change it unnoticed: %s (RFC 6376 5.4.1)", strings.Join(open, ", "))
	}
	listed := 0
	for _, name := range s.headers {
		if name == "from" {
			listed++
		}
	}
	if n := len(p.fields["from"]); n > listed {
		why.Say(ctx, "of %d From fields only the lowest %d is signed: DMARC refuses such a message", n, listed)
	}
}

// explainKey tells what the key is, and why it can't be used. It is false where the
// signature can't be verified.
func (c *Check) explainKey(ctx context.Context) bool {
	name := c.selector + "._domainkey." + c.domain
	if c.key != nil {
		kind := "RSA"
		if c.key.ed25519 != nil {
			kind = "ed25519"
		}
		why.Say(ctx, "key at %s: %s, %d bits%s", name, kind, c.key.bits, c.key.flags())
	}
	p := c.unfit()
	if p == nil {
		return true
	}
	switch p.result {
	case authres.TempError:
		why.Say(ctx, "without an answer about %s nothing can be said; a later try may be answered", name)
	case authres.Policy:
		why.Say(ctx, "the owner of %s must publish another key (RFC 8301 3.2)", c.domain)
	default:
		why.Say(ctx, "the owner of %s must mend the record at %s, or sign with a selector that exists", c.domain, name)
	}
	return false
}

func (k *key) flags() string {
	text := ""
	if k.testing {
		text += ", in testing mode (t=y): its signatures count for nothing"
	}
	if k.strict {
		text += ", not for subdomains (t=s)"
	}
	return text
}

// explainHeader looks for what in the header was changed.
func (c *Check) explainHeader(ctx context.Context, header *Picker) {
	if c.key.rsa != nil && !c.key.made(c.sig) {
		why.Say(ctx, "the signature was not made with this key at all: the signer uses another than the record has (after a change of keys, or a wrong selector), or b= was damaged")
		return
	}
	if c.key.rsa != nil {
		why.Say(ctx, "the signature was made with this key, but over other header fields")
	}
	if field := header.culprit(c); field != "" {
		why.Say(ctx, "it holds if %s: that was changed after it was signed. A mailing list or a gateway does so", field)
		return
	}
	why.Say(ctx, "what was changed can't be told. Usual causes: a mailing list or a gateway that rewrote Subject, From, To or Reply-To; a relay that folded or re-encoded a field")
}

// made tells whether an RSA signature is one of this key over whatever SHA-256: undone
// with the key it has the form of RFC 8017 9.2.
func (k *key) made(sig []byte) bool {
	size := (k.rsa.N.BitLen() + 7) / 8
	s := new(big.Int).SetBytes(sig)
	if len(sig) != size || s.Cmp(k.rsa.N) >= 0 {
		return false
	}
	return paddedSHA256(s.Exp(s, big.NewInt(int64(k.rsa.E)), k.rsa.N).FillBytes(make([]byte, size)))
}

// sha256Info is what stands before a SHA-256 in a signature (RFC 8017 9.2, note 1).
const sha256Info = "\x00\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

func paddedSHA256(block []byte) bool {
	rest, ok := strings.CutPrefix(string(block), "\x00\x01")
	for strings.HasPrefix(rest, "\xff") {
		rest = rest[1:]
	}
	return ok && strings.HasPrefix(rest, sha256Info) && len(rest) == len(sha256Info)+32
}
