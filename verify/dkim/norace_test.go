//go:build !race

package dkim

// largeBody is how many octets of a large body are compared.
const largeBody = 200000
