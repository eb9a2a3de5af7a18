package dkim_test

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"math/big"
)

func bigInt(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

func hash64(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// short is a public key of 512 bits that opens nothing.
func short() string { return ones(512) }

// ones is a public key of which the size alone counts: all of its bits are one.
func ones(bits uint) string {
	n := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1))
	return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: n, E: 65537}))
}
