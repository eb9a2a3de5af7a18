//go:build !race

package delivery_test

// modelFaults is how many faults the model has at once.
const modelFaults = 3
