package doctor_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/cmd/internal/doctor"
	"mxhook/cmd/internal/worker"
	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/verify/dns"
)

func TestAPublicSetUpIsHealthy(t *testing.T) {
	r := newWorld(t).examine()
	seen := map[string]bool{}
	for _, c := range r.Checks {
		seen[c.Name] = seen[c.Name] || c.Severity == doctor.OK
		if c.Severity != doctor.OK && c.Severity != doctor.Info && !fromHere(c) {
			t.Errorf("%+v", c)
		}
	}
	for _, name := range []string{"mx", "mta_sts", "tls_rpt", "address", "ptr", "tlsa", "certificate", "listener", "starttls", "relay", "accepting", "sink", "accept", "state", "clock"} {
		if !seen[name] {
			t.Errorf("nothing is well of %s", name)
		}
	}
	if !r.Healthy() {
		t.Error("not healthy")
	}
}

// broken is a world with one thing that is wrong.
type broken struct {
	name     string
	breaking func(w *world)
	severity doctor.Severity
	check    string
	found    string // a part of it
	fix      string // a part of it
}

// replace changes one text of the zone.
func replace(old, new string) func(w *world) {
	return func(w *world) {
		if !strings.Contains(w.zone, old) {
			w.t.Fatalf("the zone has no %q", old)
		}
		w.zone = strings.ReplaceAll(w.zone, old, new)
	}
}

const mxRecord = "MX   10 mx.in.example."

var brokenDNS = []broken{
	{"no MX", replace("in.example.            "+mxRecord, "in.example. TXT nothing"), doctor.Error, "mx", "no MX record", "in.example. 3600 IN MX 10 mx.in.example."},
	{"MX to somebody else", replace(mxRecord, "MX 10 elsewhere.example."), doctor.Error, "mx", "none of them is mx.in.example", "and remove: in.example. IN MX 10 elsewhere.example."},
	{"null MX", replace(mxRecord, "MX 0 ."), doctor.Error, "mx", "null MX", "remove it"},
	{"MX to an address", replace(mxRecord, "MX 10 198.41.0.4."), doctor.Error, "mx", "names the address 198.41.0.4", "and remove: in.example. IN MX 10 198.41.0.4."},
	{"MX to an alias of ours", replace(mxRecord, "MX 10 mail.in.example.\nmail.in.example. CNAME mx.in.example."), doctor.Error, "mx", "alias (CNAME) of mx.in.example", "in.example. 3600 IN MX 10 mx.in.example.\nand remove: in.example. IN MX 10 mail.in.example."},
	{"a better MX elsewhere", replace(mxRecord, "MX 10 mx.in.example.\nin.example. MX 5 elsewhere.example."), doctor.Warning, "mx", "5 elsewhere.example first", "lowest number"},
	{"no address", replace("mx.in.example.         A    198.41.0.4\nmx.in.example.         AAAA 2001:503:ba3e::2:30", ""), doctor.Error, "address", "has no address", "mx.in.example. 3600 IN A"},
	{"a private address", replace("mx.in.example.         A    198.41.0.4", "mx.in.example. A 192.168.1.10"), doctor.Error, "address", "192.168.1.10 is private", "public address"},
	{"a provider's shared address", replace("mx.in.example.         A    198.41.0.4", "mx.in.example. A 100.64.3.4"), doctor.Error, "address", "CGNAT", "public address"},
	{"a ULA beside a public address", replace("AAAA 2001:503:ba3e::2:30", "AAAA fd00::1"), doctor.Error, "address", "fd00::1 is private (ULA", "public address"},
	{"loopback", replace("mx.in.example.         A    198.41.0.4", "mx.in.example. A 127.0.0.1"), doctor.Error, "address", "loopback", "public address"},
	{"the hostname is an alias", replace("mx.in.example.         A    198.41.0.4\nmx.in.example.         AAAA 2001:503:ba3e::2:30", "mx.in.example. CNAME host.in.example.\nhost.in.example. A 198.41.0.4"), doctor.Error, "alias", "alias (CNAME) of host.in.example", "remove the CNAME record and publish the addresses themselves:\nmx.in.example. 3600 IN A 198.41.0.4"},
	{"no PTR", replace("4.0.41.198.in-addr.arpa. PTR mx.in.example.", ""), doctor.Warning, "ptr", "198.41.0.4 has no name", "198.41.0.4 PTR mx.in.example."},
	{"a PTR that does not lead back", replace("4.0.41.198.in-addr.arpa. PTR mx.in.example.", "4.0.41.198.in-addr.arpa. PTR elsewhere.example."), doctor.Warning, "ptr", "does not lead back", "PTR mx.in.example."},
	{"a malformed MTA-STS record", replace(`"v=STSv1; id=20261122"`, `"v=STSv1; id=2026-11-22"`), doctor.Error, "mta_sts", "id must be 1 to 32", `publish in its place: _mta-sts.in.example. 3600 IN TXT "v=STSv1; id=`},
	{"an MTA-STS record of another version", replace(`"v=STSv1; id=20261122"`, `"v=STS1; id=1"`), doctor.Error, "mta_sts", "no MTA-STS record", `TXT "v=STSv1; id=`},
	{"two MTA-STS records", replace(`"v=STSv1; id=20261122"`, "\"v=STSv1; id=1\"\n_mta-sts.in.example. TXT \"v=STSv1; id=2\""), doctor.Error, "mta_sts", "2 MTA-STS records", "all but one"},
	{"no host for the policy", replace("mta-sts.in.example.    A    199.7.83.42", ""), doctor.Error, "mta_sts", "mta-sts.in.example has no address", "mx: mx.in.example"},
	{"a private host for the policy", replace("199.7.83.42", "10.1.2.3"), doctor.Error, "mta_sts", "10.1.2.3, which is private", "public address"},
	{"a malformed TLS-RPT record", replace("rua=mailto:tls@in.example,https://reports.example/tls", "rua=tls@in.example"), doctor.Error, "tls_rpt", "mailto:ADDRESS", "_smtp._tls.in.example. 3600 IN TXT"},
	{"two TLS-RPT records", replace("_25._tcp", "_smtp._tls.in.example. TXT \"v=TLSRPTv1; rua=mailto:a@b.example\"\n_25._tcp"), doctor.Error, "tls_rpt", "2 TLS-RPT records", "all but one"},
	{"a TLSA record of another key", replace("TLSA 3 1 1 KEY", "TLSA 3 1 1 "+strings.Repeat("ab", 32)), doctor.Error, "tlsa", "matches", "IN TLSA 3 1 1 "},
	{"a TLSA record that SMTP can't use", replace("TLSA 3 1 1 KEY", "TLSA 1 1 1 KEY"), doctor.Error, "tlsa", "can be used for SMTP: 1 1 1", "IN TLSA 3 1 1 "},
	{"TLSA without DNSSEC", func(w *world) { w.unsigned = true }, doctor.Warning, "tlsa", "does not say that DNSSEC", "sign the zone"},
	{"a name server that fails", func(w *world) { w.sick = func(z *dns.Zone) { z.ServFail("_smtp._tls.in.example") } }, doctor.Unknown, "tls_rpt", "could not be found out: SERVFAIL", "find out"},
}

var brokenPolicies = []broken{
	{"a policy for another host", policyOf("mx: mx.in.example", "mx: mail.in.example"), doctor.Error, "mta_sts", "not mx.in.example", "mx: mx.in.example"},
	{"a policy for another host, in testing", policyOf("enforce\r\nmx: mx", "testing\r\nmx: mail"), doctor.Warning, "mta_sts", "not mx.in.example", "mx: mx.in.example"},
	{"a policy without max_age", policyOf("max_age: 604800\r\n", ""), doctor.Error, "mta_sts", "max_age is missing", "mode: enforce\n  mx: mx.in.example\n  max_age: 86400"},
	{"a policy of an unknown mode", policyOf("enforce", "strict"), doctor.Error, "mta_sts", `mode is "strict"`, "mode: testing"},
	{"a policy that is a web page", func(w *world) {
		w.policy = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>")
		}
	}, doctor.Error, "mta_sts", `type "text/html"`, "Content-Type: text/plain"},
	{"a policy that redirects", func(w *world) {
		w.policy = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://www.in.example/", http.StatusMovedPermanently)
		}
	}, doctor.Error, "mta_sts", "redirects", "at that URL itself"},
	{"no policy at the URL", func(w *world) { w.policy = http.NotFound }, doctor.Error, "mta_sts", "HTTP 404", "serve the file"},
	{"a policy without end", func(w *world) { w.policy = policyFile(strings.Repeat("x: y\n", 20000)) }, doctor.Error, "mta_sts", "longer than 65536", "policy alone"},
	{"an expired certificate of the policy's host", func(w *world) {
		w.site[0] = issue(w.t, w.middle, "mta-sts.in.example", false, time.Now().Add(-time.Hour), w.siteKey)
	}, doctor.Error, "mta_sts", "has expired", "renew"},
	{"a certificate of the policy's host for another", func(w *world) {
		w.site[0] = issue(w.t, w.middle, "www.in.example", false, time.Now().Add(time.Hour*9999), w.siteKey)
	}, doctor.Error, "mta_sts", "not for mta-sts.in.example", "certificate for mta-sts.in.example"},
	{"a policy's host that nobody vouches for", func(w *world) {
		w.site = []*x509.Certificate{issue(w.t, nil, "mta-sts.in.example", false, time.Now().Add(time.Hour*9999), w.siteKey)}
	}, doctor.Error, "mta_sts", "not trusted", "publicly trusted"},
	{"nobody at the policy's host", func(w *world) {
		w.options = func(o *doctor.Options) { o.PolicyAddress = freePort(w.t) }
	}, doctor.Error, "mta_sts", "no HTTPS connection", "port 443"},
	{"another clock", func(w *world) {
		w.options = func(o *doctor.Options) { o.Now = func() time.Time { return time.Now().Add(7 * time.Minute) } }
	}, doctor.Error, "clock", "differs by 7m", "set-ntp"},
}

func policyOf(old, new string) func(w *world) {
	return func(w *world) { w.policy = policyFile(strings.ReplaceAll(healthyPolicy, old, new)) }
}

// issued replaces the leaf of the listener's certificate; the key stays.
func issued(name string, notAfter time.Duration) func(w *world) {
	return func(w *world) { w.chain[0] = issue(w.t, w.middle, name, false, time.Now().Add(notAfter), w.key) }
}

var brokenHere = []broken{
	{"a certificate that ends soon", issued("mx.in.example", 13*24*time.Hour), doctor.Warning, "certificate", "it ends on", "certbot renew"},
	{"a self-signed certificate under a policy", func(w *world) {
		w.chain = []*x509.Certificate{issue(w.t, nil, "mx.in.example", false, time.Now().Add(999*time.Hour), w.key)}
	}, doctor.Error, "mta_sts", "an authority has signed, and ours is not", "certbot"},
	{"no TLS", func(w *world) {
		w.yaml = strings.ReplaceAll(w.yaml, "tls: {cert_file: CERT, key_file: KEY}", "tls: {mode: none}")
		policyOf("enforce", "none")(w)
	}, doctor.Error, "tlsa", "no mx listener offers TLS", "give the listener a certificate"},
	{"serve does not run", func(w *world) {
		w.idle = true
		w.yaml = strings.ReplaceAll(w.yaml, "127.0.0.1:0", freePort(w.t))
	}, doctor.Warning, "listener", "mxhook serve is not running; it could listen", "mxhook serve"},
	{"serve runs and listens elsewhere", func(w *world) {
		w.change = func(c *config.Config) { c.Listeners[0].Address = freePort(w.t) }
	}, doctor.Error, "listener", "though mxhook serve runs", "restart"},
	{"another program listens", func(w *world) {
		address := speak(w.t, "220 mx.in.example ESMTP Postfix\r\n")
		w.change = func(c *config.Config) { c.Listeners[0].Address = address }
	}, doctor.Error, "listener", "another program answers", "ss -ltnp"},
	{"serve with another hostname", func(w *world) {
		address := speak(w.t, "220 old.in.example ESMTP mxhook\r\n")
		w.change = func(c *config.Config) { c.Listeners[0].Address = address }
	}, doctor.Error, "listener", "calls itself otherwise", "restart"},
	{"serve without STARTTLS", func(w *world) {
		address := speak(w.t, "220 mx.in.example ESMTP mxhook\r\n", "250 mx.in.example\r\n")
		w.change = func(c *config.Config) { c.Listeners[0].Address = address }
	}, doctor.Error, "starttls", "STARTTLS is not offered", "restart"},
	{"an open relay", func(w *world) {
		w.yaml = strings.ReplaceAll(w.yaml, "@in.example\"", "@relay-test.invalid\"")
		w.change = func(c *config.Config) {
			for i := range c.Routes {
				c.Routes[i].Recipient = []string{strings.ReplaceAll(c.Routes[i].Recipient[0], "relay-test.invalid", "in.example")}
			}
		}
	}, doctor.Error, "relay", "foreign domain is taken", "restart"},
	{"an application that is down", func(w *world) {
		w.yaml = strings.Replace(w.yaml, "url: ", "url: \"http://"+freePort(w.t)+"/\", format: mxhook, headers: {X-Old: x}} #", 1)
		w.yaml = strings.Replace(w.yaml, "headers: {X-Old: x}", "secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1)
	}, doctor.Error, "sink", "connection refused", "start the application"},
	{"a proxy that nobody answers", func(w *world) {
		w.yaml = strings.Replace(w.yaml, "secret: whsec_", `proxy: "http://`+freePort(w.t)+`", secret: whsec_`, 1)
	}, doctor.Error, "sink", "proxy: connection refused", "proxy"},
	{"an accept that nobody answers", func(w *world) {
		i := strings.Index(w.yaml, "accept: {url: ")
		j := i + strings.Index(w.yaml[i:], "}")
		w.yaml = w.yaml[:i] + `accept: {url: "http://` + freePort(w.t) + `/"` + w.yaml[j:]
	}, doctor.Error, "accept", "connection refused", "start the application"},
	{"a sink's folder that is a file", func(w *world) {
		if err := os.WriteFile(filepath.Join(w.folder, "mail"), nil, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}, doctor.Error, "sink", ": not a directory", "is a file: move it away, or name another folder in path of sink "},
	{"a folder that another sink stores in", func(w *world) {
		w.yaml = strings.Replace(w.yaml, "secret: whsec_", "include: {attachments: \"store:files\"}, secret: whsec_", 1)
		w.yaml = strings.Replace(w.yaml, "routes:", "  files: {type: dir, path: FOLDER/key.pem/x}\nroutes:", 1)
	}, doctor.Error, "sink", ": not a directory", "is a file: move it away, or name another folder in path of sink "},
	{"a state folder that all may read", func(w *world) {
		w.change = func(c *config.Config) {
			if err := os.Chmod(c.State, 0o755); err != nil {
				w.t.Fatal(err)
			}
		}
	}, doctor.Warning, "state_mode", "0755", "chmod 700"},
	{"a state folder that is a file", func(w *world) {
		w.change = func(c *config.Config) {
			c.State = filepath.Join(w.folder, "file")
			if err := os.WriteFile(c.State, nil, 0o600); err != nil {
				w.t.Fatal(err)
			}
		}
	}, doctor.Error, "state", "not a directory", "/file is a file: move it away"},
	{"a clock that nobody keeps", func(w *world) {
		w.options = func(o *doctor.Options) { o.Synchronized = func() (bool, bool) { return false, true } }
	}, doctor.Warning, "clock", "nothing keeps it right", "timedatectl"},
}

func TestASystemWithoutAuthoritiesJudgesNoCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options = func(o *doctor.Options) { o.Roots = x509.NewCertPool() }
	open := map[string]bool{}
	for _, c := range w.examine().Checks {
		if c.Severity == doctor.Error {
			t.Errorf("%+v", c)
		}
		if c.Severity == doctor.Unknown && strings.Contains(c.Found, "ca-certificates") {
			open[c.Name] = true
		}
	}
	if !open["certificate"] || !open["mta_sts"] {
		t.Errorf("open: %v", open)
	}
}

// queue is one that a source has.
type queue struct {
	properties worker.Properties
	err        error
}

func (q queue) Properties(context.Context) (worker.Properties, error) { return q.properties, q.err }

func TestQueuesOfSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.change = func(c *config.Config) {
		for _, name := range []string{"good", "endless", "refused", "unknown"} {
			c.Sources = append(c.Sources, config.Source{Name: name, Type: "sqs", Deliver: []string{"disk"}})
		}
	}
	w.options = func(o *doctor.Options) {
		o.Queues = map[string]doctor.Queue{
			"good": queue{worker.Properties{Most: 5}, nil}, "endless": queue{},
			"refused": queue{err: status.SinkOperator.Wrap("source refused", errors.New("AccessDenied"))},
		}
	}
	got := map[string]doctor.Severity{}
	for _, c := range w.examine().Checks {
		if c.Name == "source" {
			got[c.Subject] = c.Severity
		}
		if c.Subject == "refused" && (!strings.Contains(c.Fix, "the source's queue_url, region, endpoint or credentials") || strings.Contains(c.Fix, "folder")) {
			t.Errorf("the fix %q is not a source's", c.Fix)
		}
	}
	want := map[string]doctor.Severity{"good": doctor.OK, "endless": doctor.Warning, "refused": doctor.Error, "unknown": doctor.Unknown}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// shut is a sink that can't be reached.
type shut struct{ sinks.Sink }

func (shut) Check(context.Context) error {
	return status.SinkOperator.Wrap("sink", errors.New("AccessDenied"))
}

// TestABucketThatASourceReadsPointersFromIsNeeded: without it large mail stays in the queue.
func TestABucketThatASourceReadsPointersFromIsNeeded(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]doctor.Severity{"with a source": doctor.Error, "without": doctor.Warning} {
		w := newWorld(t)
		w.change = func(c *config.Config) {
			c.Sinks = append(c.Sinks, config.Sink{Name: "archive", Type: "s3", S3: &config.S3{Bucket: "mail"}})
			if name == "with a source" {
				c.Sources = []config.Source{{Name: "jobs", Type: "sqs", Deliver: []string{"disk"}}}
			}
		}
		w.options = func(o *doctor.Options) {
			o.Sinks["archive"] = shut{}
			o.Queues = map[string]doctor.Queue{"jobs": queue{worker.Properties{Most: 5}, nil}}
		}
		told := false
		for _, c := range w.examine().Checks {
			if c.Name == "sink" && c.Subject == "archive" {
				told = c.Severity == want && (c.Why == "nobody uses it") == (want == doctor.Warning)
			}
		}
		if !told {
			t.Errorf("%s: the bucket's fault is no %v", name, want)
		}
	}
}

// TestTheOneThingThatIsBrokenIsTheOneThingThatIsTold breaks one thing after the other.
func TestTheOneThingThatIsBrokenIsTheOneThingThatIsTold(t *testing.T) {
	t.Parallel()
	for _, cases := range [][]broken{brokenDNS, brokenPolicies, brokenHere} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				c.breaking(w)
				r := w.examine()
				told := 0
				for _, got := range r.Checks {
					if got.Name == c.check && got.Severity == c.severity && strings.Contains(got.Found, c.found) && strings.Contains(got.Fix, c.fix) && got.Why != "" {
						told++
						continue
					}
					worse := got.Severity == doctor.Error || got.Severity == doctor.Unknown
					if worse || got.Severity == doctor.Warning && c.severity == doctor.Warning && !fromHere(got) {
						t.Errorf("also told: %+v", got)
					}
				}
				if told != 1 {
					t.Errorf("told %d times: %+v", told, r.Checks)
				}
				if r.Healthy() != (c.severity == doctor.Warning) {
					t.Errorf("healthy: %v", r.Healthy())
				}
			})
		}
	}
}

// TestOfAnApplicationBehindAProxyNoMoreIsToldThanIsKnown: without a request a proxy tells
// nothing of an application of http.
func TestOfAnApplicationBehindAProxyNoMoreIsToldThanIsKnown(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	w := newWorld(t)
	w.yaml = strings.Replace(w.yaml, "secret: whsec_", `proxy: "http://`+ln.Addr().String()+`", secret: whsec_`, 1)
	for _, c := range w.examine().Checks {
		if c.Name == "sink" && c.Subject == "app" && (c.Severity != doctor.OK || !strings.HasPrefix(c.Found, "its proxy is reached; whether its server is,")) {
			t.Errorf("%+v", c)
		}
	}
}
