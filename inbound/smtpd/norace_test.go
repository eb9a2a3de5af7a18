//go:build !race

package smtpd

const slower = 1
