// Package attempt is what sinks that send by net/http share: how far a request came
// (Tracer), what a failure without an answer means (Failure.Cause), when to try again
// (Pause), and the connections themselves (Transport).
//
// Words of causes are our own: no text of an error of net/http is told.
package attempt
