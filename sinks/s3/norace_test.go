//go:build !race

package s3_test

// raceDetector tells whether the tests run with it: messages are smaller then.
const raceDetector = false
