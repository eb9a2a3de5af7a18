//go:build !race

package payload

// raceDetector tells whether the tests run with it.
const raceDetector = false
