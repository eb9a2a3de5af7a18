//go:build !race

package message

// raceDetector tells whether the tests run with it.
const raceDetector = false
