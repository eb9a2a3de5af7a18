package webhook_test

import (
	"net/http"
	"testing"

	"mxhook/sinks/webhook"
)

func TestTheEnvironmentsProxyIsNotUsed(t *testing.T) {
	proxy, asked := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy)
	}
	// A proxy would look the name up itself; we do, and it doesn't exist.
	check(t, webhook.Config{URL: "http://app.sink.example./", Resolver: resolver(t, 3)}, 10, "451 4.3.5", 1, "the host has no address")
	if len(asked) != 0 {
		t.Error("the proxy of the environment was asked")
	}
}
