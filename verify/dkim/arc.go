package dkim

import (
	"bytes"
	"strings"
	"time"

	"mxhook/verify/authres"
)

var formMessageSignature = form{
	needed: []string{"i", "a", "b", "bh", "d", "h", "s"},
	parse:  parseStrict,
	steps: []func(*signature, Tags, time.Time) *problem{
		readNames, readAlgorithm, readSignature, readHash, readHeaders, readRest, refuseLimit, refuseSeals, checkTime,
	},
}

// NewMessageSignature reads an ARC-Message-Signature (RFC 8617 4.1.2): a signature
// whose i= is an instance and whose v= has no meaning.
func NewMessageSignature(f Field, now time.Time) *Check { return formMessageSignature.check(f, now) }

// refuseLimit: what l= leaves open in a body is anybody's, and each l= would want a
// hash of its own.
func refuseLimit(s *signature, _ Tags, _ time.Time) *problem {
	if s.limit >= 0 {
		return &problem{authres.Policy, "l= is not accepted"}
	}
	return nil
}

// refuseSeals: RFC 8617 4.1.2 wants no field of ARC signed here. Signed results do no
// harm and are usual; a seal can't be, since it is made afterwards.
func refuseSeals(s *signature, _ Tags, _ time.Time) *problem {
	for _, h := range s.headers {
		if strings.EqualFold(h, "arc-seal") {
			return permanent("an ARC-Seal is signed")
		}
	}
	return nil
}

var formSeal = form{
	needed: []string{"i", "cv", "a", "b", "d", "s"},
	parse:  parseStrict,
	steps:  []func(*signature, Tags, time.Time) *problem{readNames, readAlgorithm, readSignature, readSeal},
}

// NewSeal reads an ARC-Seal (RFC 8617 4.1.3): a signature over the chain alone.
func NewSeal(f Field, now time.Time) *Check { return formSeal.check(f, now) }

func readSeal(s *signature, tags Tags, now time.Time) *problem {
	if _, ok := tags["h"]; ok {
		return permanent("h= is not allowed in an ARC-Seal")
	}
	s.relaxedHead = true
	known := Tags{} // x= has no meaning here
	if t, ok := tags["t"]; ok {
		known["t"] = t
	}
	return checkTime(s, known, now)
}

// Relaxed gives a field in relaxed canonical form (RFC 6376 3.4.2), with its CRLF.
func Relaxed(f Field) []byte { return relaxedHeader(f.Raw) }

// RelaxedUnsigned is Relaxed of a signature's own field, as that signature covers it:
// without the value of b= and without the CRLF.
func RelaxedUnsigned(f Field) []byte {
	return bytes.TrimSuffix(relaxedHeader(withoutSignature(f.Raw)), lineEnds[:2])
}
