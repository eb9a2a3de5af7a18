// Package cputime tells what a process has used, for benchmarks and for bounds in tests:
// the clock on the wall also counts the neighbours.
package cputime
