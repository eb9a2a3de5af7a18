package smtpd

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"
)

func TestTooManyConnectionsAreToldOverTLS(t *testing.T) {
	for name, c := range map[string]struct {
		limiter       *Limiter
		header, reply string
	}{
		"in all":                             {NewLimiter(1, 0, 0), "", "421 4.4.5"},
		"from one address":                   {NewLimiter(0, 1, 0), "", "421 4.7.0"},
		"from one address behind a balancer": {NewLimiter(0, 1, 0), "PROXY TCP4 192.0.2.7 192.0.2.8 1000 465\r\n", "421 4.7.0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(cfg *Config) {
				cfg.Limiter, cfg.TLSMode = c.limiter, TLSImplicit
				if c.header != "" {
					proxies("127.0.0.0/8")(cfg)
				}
			})
			dial := func() *client { return dialTLS(t, r, c.header) }
			first := dial().hello()
			dial().want("", c.reply).want("", "EOF")
			first.want("QUIT", "221")
		})
	}
}

// Those who are turned away and don't shake hands keep no place, and no Stop, for long.
func TestSilentPeersThatAreTurnedAwayKeepNoPlace(t *testing.T) {
	r := start(t, func(cfg *Config) { cfg.Limiter, cfg.TLSMode = NewLimiter(1, 0, 0), TLSImplicit })
	first := dialTLS(t, r, "").hello()
	var silent []*client
	for range 2 * maxTurning {
		silent = append(silent, r.dial())
	}
	began := time.Now()
	for _, c := range silent {
		for c.nc.SetReadDeadline(time.Now().Add(10 * turningTime)); ; {
			if _, err := c.nc.Read(make([]byte, 1)); err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Fatal("a silent peer that was turned away is not closed")
				}
				break
			}
		}
	}
	if took := time.Since(began); took > 5*turningTime {
		t.Errorf("closed after %v", took)
	}
	dialTLS(t, r, "").want("", "421 4.4.5").want("", "EOF")
	first.want("QUIT", "221")
}

func dialTLS(t *testing.T, r *running, header string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte(header)); err != nil {
		t.Fatal(err)
	}
	return newClient(t, tls.Client(nc, &tls.Config{InsecureSkipVerify: true}))
}

// Several sockets of one listener are stopped at once, each by its own call.
func TestStopsAtTheSameTime(t *testing.T) {
	for range 50 {
		r := start(t, nil)
		r.dial().hello().want("QUIT", "221")
		var stops sync.WaitGroup
		for range 4 {
			stops.Go(func() {
				if err := r.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		stops.Wait()
	}
}
