package sqs

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"mxhook/sinks"
)

// maxGroup is the length of a MessageGroupId, in characters.
const maxGroup = 128

// groupOf returns the MessageGroupId of a recipient: his canonical address, or a digest
// of it where that has characters that no group has, or is too long. No address looks
// like a digest, which has no @.
func groupOf(r sinks.Recipient) string {
	key := r.Key()
	if key != "" && len(key) <= maxGroup && strings.Contains(key, "@") && !strings.ContainsFunc(key, notOfGroup) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256-" + hex.EncodeToString(sum[:])
}

// notOfGroup tells what a MessageGroupId may not hold: all but ASCII letters, digits and
// punctuation.
func notOfGroup(r rune) bool { return r <= ' ' || r >= 0x7f }
