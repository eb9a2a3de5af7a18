package smtpd

import (
	"testing"

	"mxhook/inbound/status"
)

// metConditions are the rows that dialogues met, in clear and over TLS.
type metConditions map[bool]map[string]bool

func (m metConditions) add(secure bool, o *observer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m[secure] == nil {
		m[secure] = map[string]bool{}
	}
	for name := range o.replied {
		m[secure][name] = true
	}
}

// elsewhere names the rows that no dialogue meets, or not both in clear and over TLS,
// and says why.
var elsewhere = map[*status.Condition]string{
	status.TooManyConnections:        "said before the dialogue: TestConnectionLimits",
	status.TooManyConnectionsPerPeer: "said before the dialogue: TestConnectionLimits",
	status.TimedOut:                  "needs time: timing_test.go",
	status.TLSRequired:               "never over TLS",
	status.TLSAlreadyActive:          "never in clear",
	status.ReadyForTLS:               "never over TLS",
	status.TLSTemporarilyGone:        "nothing makes TLS unavailable for a while: without a certificate the listener doesn't start",
	status.AuthNeedsTLS:              "never over TLS",
	status.AuthFailed:                "never in clear",
	status.AuthUnavailable:           "never in clear",
	status.AuthMechanism:             "never in clear",
	status.BadAuthResponse:           "never in clear",
	status.AuthLineTooLong:           "never in clear",
	status.AuthCancelled:             "never in clear",
	status.Authenticated:             "never in clear",
}

// check demands that every row of the table was met by a dialogue, in clear and over
// TLS, or stands in elsewhere.
func (m metConditions) check(t *testing.T) {
	for _, c := range status.All() {
		clear, encrypted := m[false][c.Name()], m[true][c.Name()]
		switch reason := elsewhere[c]; {
		case reason == "" && !(clear && encrypted):
			t.Errorf("no dialogue meets %s (in clear %v, over TLS %v)", c.Name(), clear, encrypted)
		case reason != "" && clear && encrypted:
			t.Errorf("dialogues meet %s: take it out of elsewhere", c.Name())
		}
	}
}
