package webhook

import (
	"testing"

	"mxhook/sinks/payload"
)

// TestSignatureOfTheStandard is the example of Standard Webhooks 1.0.0, for what is signed in
// memory and for what is signed while it is read.
func TestSignatureOfTheStandard(t *testing.T) {
	t.Parallel()
	const (
		id, timestamp = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
		body          = `{"test": 2432232314}`
		want          = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	)
	key, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if got := signatures(id, timestamp, []byte(body), [][]byte{key}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c := content{body: payload.NewBody("application/json", payload.TextSource(body))}
	got, err := c.sign(id, timestamp, [][]byte{key, key})
	if err != nil || got != want+" "+want {
		t.Errorf("%s, %v, want %s twice", got, err, want)
	}
}
