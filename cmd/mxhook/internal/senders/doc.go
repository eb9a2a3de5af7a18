// Package senders holds no code. Its tests let real mail systems and clients deliver
// to a bridge: each message is deferred twice, and arrives once, octet for octet.
//
// A sender is a file of testdata, whose comment says what it needs. What conflicts with
// other Debian packages is not installed: its archives lie in a folder that .ci/senders
// fills and MXHOOK_SENDERS names, and are unpacked in a root of their own, an overlay
// over this machine's in a mount namespace, which ends with the test.
package senders
