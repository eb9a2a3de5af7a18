//go:build race

package smtpd

// slower is how much more time the race detector is given.
const slower = 5
