//go:build !race

package dns

// raceDetector tells whether the tests run with it, ten times as slow.
const raceDetector = false
