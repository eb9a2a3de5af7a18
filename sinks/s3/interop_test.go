package s3_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/s3"
	"mxhook/sinks/sinktest"
)

// need skips the test, or fails it where MXHOOK_INTEROP=require, when the command fails.
func need(t *testing.T, what string, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		if os.Getenv("MXHOOK_INTEROP") == "require" {
			t.Fatalf("%s is not installed, and MXHOOK_INTEROP=require: %v\n%s", what, err, out)
		}
		t.Skip(what, "is not installed")
	}
}

func TestRealServers(t *testing.T) {
	for _, r := range realServers(t) {
		t.Run(r.name, func(t *testing.T) {
			r.start(t)
			t.Cleanup(r.stop)
			t.Run("the contract", func(t *testing.T) { realContract(t, r) })
			t.Run("an independent client reads what was put", func(t *testing.T) { readBack(t, r) })
			t.Run("a resend writes nothing", func(t *testing.T) { resend(t, r) })
			t.Run("wrong credentials and no bucket are the operator's", func(t *testing.T) { operators(t, r) })
			t.Run("hostile names", func(t *testing.T) { hostileNames(t, r) })
			t.Run("a signed URL needs no credentials", func(t *testing.T) { signedURL(t, r) })
			t.Run("down, and up again", func(t *testing.T) { downAndUp(t, r) })
		})
	}
}

func realContract(t *testing.T, r *realServer) {
	n := 0
	sinktest.Run(t, func(t *testing.T, mood sinktest.Mood, log *slog.Logger) sinktest.Destination {
		if mood != sinktest.Takes && mood != sinktest.Operate {
			return sinktest.Destination{}
		}
		n++
		bucket := fmt.Sprintf("contract-%d", n)
		r.bucket(t, bucket)
		return sinktest.Destination{
			Sink: newSink(t, r.URL(), func(c *s3.Config) {
				c.Bucket, c.Cloud.Log = bucket, log
				if mood == sinktest.Operate {
					c.Cloud.SecretAccessKey = "wrong-canary"
				}
			}),
			Stored: func() map[string]int {
				events := map[string]int{}
				for _, key := range r.keys(t, bucket) {
					if id, ok := strings.CutSuffix(key, ".json"); ok {
						events[id]++
					}
				}
				return events
			},
			Secrets: []string{accessKey, secretKey, "wrong-canary"},
		}
	})
}

// boto reads all objects of a bucket and prints their digests, types and metadata.
const boto = `
import boto3, hashlib, json, sys
from botocore.config import Config
s = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[3], aws_secret_access_key=sys.argv[4], region_name="us-east-1",
                 config=Config(s3={"addressing_style": "path"}))
out = {}
for o in s.list_objects_v2(Bucket=sys.argv[2]).get("Contents", []):
    g = s.get_object(Bucket=sys.argv[2], Key=o["Key"])
    body = g["Body"].read()
    out[o["Key"]] = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "type": g["ContentType"], "meta": g["Metadata"]}
print(json.dumps(out))
`

type readObject struct {
	SHA256 string
	Size   int64
	Type   string
	Meta   map[string]string
}

func readAll(t *testing.T, r *realServer, bucket string) (all map[string]readObject) {
	t.Helper()
	need(t, "boto3 for Python", "python3", "-c", "import boto3")
	out, err := exec.Command("python3", "-c", boto, r.URL(), bucket, accessKey, secretKey).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func readBack(t *testing.T, r *realServer) {
	r.bucket(t, "back")
	s := newSink(t, r.URL(), func(c *s3.Config) {
		c.Bucket, c.Content, c.Prefix = "back", []string{s3.Raw, s3.JSON, s3.Attachments}, "in/{route}/{year}/{month}/{day}/"
	})
	size := 25 << 20
	if raceDetector {
		size = 4 << 20
	}
	e, files := mailOf(t, size)
	deliver(t, s, e)
	all, base := readAll(t, r, "back"), "in/tickets/2026/11/21/"+e.ID
	raw, err := payload.Raw(e)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(raw.Open())
	if err != nil {
		t.Fatal(err)
	}
	if len(text) < size {
		t.Fatalf("the message has %d octets", len(text))
	}
	want := map[string]string{base + ".eml": hexSum(text)}
	for i, f := range files {
		want[fmt.Sprintf("%s/%d", base, i+1)] = hexSum(f)
	}
	for key, sum := range want {
		o := all[key]
		if o.SHA256 != sum || o.Meta["mxhook-id"] != e.ID || o.Meta["mxhook-sha256"] != sum || o.Meta["mxhook-route"] != "tickets" {
			t.Errorf("%s: %+v, want %s", key, o, sum)
		}
	}
	if o := all[base+".json"]; len(all) != len(want)+1 || o.Type != "application/json" || all[base+".eml"].Type != "message/rfc822" {
		t.Errorf("%d objects, %+v", len(all), o)
	}
}

func resend(t *testing.T, r *realServer) {
	r.bucket(t, "resend")
	s := newSink(t, r.URL(), func(c *s3.Config) { c.Bucket = "resend" })
	e := sinktest.NewEvent(1000)
	deliver(t, s, e)
	first := r.digests(t, "resend")
	e.ReceivedAt = e.ReceivedAt.Add(time.Hour) // other bytes of .eml and .json
	deliver(t, s, e)
	if again := r.digests(t, "resend"); len(again) != 2 || !maps.Equal(again, first) {
		t.Errorf("%v, then %v", first, again)
	}
}

func operators(t *testing.T, r *realServer) {
	for what, change := range map[string]func(*s3.Config){
		"secret access key": func(c *s3.Config) { c.Cloud.SecretAccessKey = "wrong" },
		"access key":        func(c *s3.Config) { c.Cloud.AccessKeyID = "AKIDOTHER00000000000" },
		"bucket":            func(c *s3.Config) { c.Bucket = "no-such-bucket" },
	} {
		s := newSink(t, r.URL(), change)
		o := s.Deliver(t.Context(), sinktest.NewEvent(10))
		if got := status.ReplyOf(o.Err).String(); !strings.HasPrefix(got, "451 4.3.5") || !strings.Contains(o.Detail, what) || o.Attempts != 1 {
			t.Errorf("%s: %s, %+v", what, got, o)
		}
		if err := s.Check(t.Context()); status.ConditionOf(err) != status.SinkOperator {
			t.Errorf("%s: the check says %v", what, err)
		}
	}
	r.bucket(t, "good")
	if err := newSink(t, r.URL(), func(c *s3.Config) { c.Bucket = "good" }).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func hostileNames(t *testing.T, r *realServer) {
	r.bucket(t, "hostile")
	s := newSink(t, r.URL(), func(c *s3.Config) { c.Bucket, c.Content, c.Prefix = "hostile", []string{s3.Raw}, "{route}/{domain}/" })
	var want []string
	for _, c := range []struct{ route, domain, prefix string }{
		{"tickets", "in.example", "tickets/in.example/"},
		{"..", "xn--bcher-kva.example", "%2E%2E/xn--bcher-kva.example/"},
		{"a/../b c+d", "[IPv6:2001:db8::1]", "a%2F..%2Fb%20c%2Bd/%5Bipv6%3A2001%3Adb8%3A%3A1%5D/"},
		{"é%2F\n", "bücher.example", "%C3%A9%252F%0A/b%C3%BCcher.example/"},
	} {
		e := sinktest.NewEvent(10)
		e.Route = c.route
		e.Recipients[0].Path.Domain = c.domain
		e.ID = sinks.EventID(e.Identity, e.Route, e.Recipients)
		deliver(t, s, e)
		want = append(want, c.prefix+e.ID+".eml")
	}
	keys := r.keys(t, "hostile")
	slices.Sort(want)
	if !slices.Equal(keys, want) {
		t.Errorf("%q, want %q", keys, want)
	}
}

func signedURL(t *testing.T, r *realServer) {
	need(t, "curl", "curl", "--version")
	r.bucket(t, "files")
	s := newSink(t, r.URL(), func(c *s3.Config) { c.Bucket, c.URLExpiry, c.Prefix = "files", time.Hour, "{domain}/" })
	e, files := mailOf(t, 1<<20)
	links, err := payload.Include{Attachments: payload.Stored, AttachmentStore: s, Raw: payload.Stored, RawStore: s}.Store(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	raw := e.Data.SHA256()
	want := []string{hexSum(files[0]), hexSum(files[1]), hex.EncodeToString(raw[:])}
	for i, url := range append(links.Attachments, links.Raw) {
		got, err := exec.Command("curl", "-sSf", url).Output()
		if err != nil || hexSum(got) != want[i] {
			t.Errorf("%d: %v, %d octets", i, err, len(got))
		}
		bare, _, _ := strings.Cut(url, "?")
		resp, err := http.Get(bare)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 403 {
			t.Errorf("without a signature: %s", resp.Status)
		}
		if address, err := s.URL(t.Context(), e, []string{"1", "2", "raw"}[i]); err != nil || address != bare {
			t.Errorf("%s, %v, want %s", address, err, bare)
		}
	}
	// The same content again writes nothing, another takes its place.
	for _, text := range []string{"one", "one", "two"} {
		c := payload.Content{Name: "7", Size: 3, SHA256: sha256.Sum256([]byte(text)), Open: func() io.Reader { return strings.NewReader(text) }}
		url, err := s.Store(t.Context(), e, c)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := exec.Command("curl", "-sSf", url).Output(); string(got) != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
}

func downAndUp(t *testing.T, r *realServer) {
	r.bucket(t, "down")
	s := newSink(t, r.URL(), func(c *s3.Config) { c.Bucket = "down" })
	deliver(t, s, sinktest.NewEvent(10, "a@in.example"))
	r.stop()
	o := s.Deliver(t.Context(), sinktest.NewEvent(10, "b@in.example"))
	if got := status.ReplyOf(o.Err).String(); !strings.HasPrefix(got, "451 4.4.1") || o.Attempts != 3 {
		t.Errorf("%s: %+v", got, o)
	}
	r.start(t)
	deliver(t, s, sinktest.NewEvent(10, "b@in.example"))
}
