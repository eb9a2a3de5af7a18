package admin

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// start runs a server and returns a function that asks it.
func start(t *testing.T, c Config) func(path, host, authorization string) (int, string) {
	t.Helper()
	c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "mxhook_build_info 1") })
	if c.Ready == nil {
		c.Ready = func() string { return "" }
	}
	s := New(c)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	_, port, _ := strings.Cut(s.Addr().String(), "]:")
	if port == "" {
		_, port, _ = strings.Cut(s.Addr().String(), ":")
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	return func(path, host, authorization string) (int, string) {
		r, err := http.NewRequest("GET", "http://127.0.0.1:"+port+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	reason := ""
	get := start(t, Config{Address: "127.0.0.1:0", Ready: func() string { return reason }})
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "mxhook_build_info"} {
		if code, body := get(path, "localhost", ""); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q, want 200 %q", path, code, body, want)
		}
	}
	reason = "draining"
	if code, body := get("/readyz", "127.0.0.1", ""); code != 503 || strings.TrimSpace(body) != "draining" {
		t.Errorf("/readyz while draining: %d %q", code, body)
	}
	if code, _ := get("/healthz", "127.0.0.1", ""); code != 200 {
		t.Errorf("/healthz while draining: %d", code)
	}
	if code, _ := get("/nothing", "localhost", ""); code != 404 {
		t.Errorf("/nothing: %d", code)
	}
}

func TestLoopbackRefusesOtherNames(t *testing.T) {
	get := start(t, Config{Address: "127.0.0.1:0"})
	for host, want := range map[string]int{
		"localhost:8025": 200, "127.0.0.1:8025": 200, "[::1]:8025": 200, "LOCALHOST": 200,
		"attacker.example": 421, "attacker.example:8025": 421, "localhost.attacker.example": 421,
	} {
		if code, _ := get("/metrics", host, ""); code != want {
			t.Errorf("Host %q: %d, want %d", host, code, want)
		}
	}
}

func TestTokenGuardsMetricsOffLoopback(t *testing.T) {
	get := start(t, Config{Address: ":0", Token: "the-token"})
	for authorization, want := range map[string]int{
		"": 401, "Bearer wrong": 401, "Bearer ": 401, "the-token": 401, "Bearer the-token": 200,
	} {
		if code, _ := get("/metrics", "mx.example.com", authorization); code != want {
			t.Errorf("Authorization %q: %d, want %d", authorization, code, want)
		}
	}
	if code, _ := get("/healthz", "mx.example.com", ""); code != 200 {
		t.Errorf("/healthz: %d", code)
	}
}

func TestNoTokenNoMetricsOffLoopback(t *testing.T) {
	get := start(t, Config{Address: ":0"})
	if code, _ := get("/metrics", "mx.example.com", "Bearer "); code != 401 {
		t.Errorf("/metrics without a token configured: %d", code)
	}
}
