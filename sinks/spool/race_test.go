//go:build race

package spool_test

// crashSeeds is in how many ways what was not synced is lost; the race
// detector makes each ten times as slow.
const crashSeeds = 1
