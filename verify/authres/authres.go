// Package authres is the vocabulary of RFC 8601: results and properties of the
// methods, the Authentication-Results field that tells them, and how to know a
// forged one.
package authres

// Result is the outcome of one method (RFC 8601 2.7).
type Result string

// The results. Every method uses some of them.
const (
	None      Result = "none"
	Pass      Result = "pass"
	Fail      Result = "fail"
	SoftFail  Result = "softfail"
	Neutral   Result = "neutral"
	Policy    Result = "policy"
	TempError Result = "temperror"
	PermError Result = "permerror"
)
