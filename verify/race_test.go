//go:build race

package verify_test

// flatMessages is how many messages leave nothing behind; the race
// detector makes each ten times as slow.
const flatMessages = 900
