//go:build race

package delivery_test

// modelFaults is how many faults the model has at once; the race detector makes it
// ten times as slow.
const modelFaults = 2
