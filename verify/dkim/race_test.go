//go:build race

package dkim

// largeBody is how many octets of a large body are compared; the race
// detector makes each ten times as slow.
const largeBody = 30000
