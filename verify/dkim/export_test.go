package dkim

import "strconv"

// Limits are those that README.md names.
func Limits() [][2]string {
	n := strconv.Itoa
	return [][2]string{
		{"signatures that are verified, from the top", n(MaxVerified)},
		{"signatures that have a result", n(MaxSignatures)},
		{"bits of an RSA key", n(minRSA) + " to " + n(maxRSA)},
		{"octets of a key record", n(maxKeyRecord)},
		{"octets of a signature field's tag list", n(maxTagList)},
		{"tags of a list", n(maxTags)},
		{"octets of a header section", n(MaxHeader)},
		{"oversigned fields that are reported", n(maxOversigned)},
	}
}
