//go:build !race

package spool_test

// crashSeeds is in how many ways what was not synced is lost.
const crashSeeds = 6
