//go:build !race

package verify_test

// flatMessages is how many messages leave nothing behind.
const flatMessages = 3000
