//go:build race

package spf_test

// raceDetector tells whether the tests run with it, ten times as slow.
const raceDetector = true
