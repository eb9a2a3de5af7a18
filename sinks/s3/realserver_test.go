package s3_test

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
)

// realServer is an S3 server that we did not write, as a process of its own.
type realServer struct {
	name, binary, address, dir string
	process                    *exec.Cmd
	said                       *bytes.Buffer
	ended                      chan struct{} // closed when the process is gone
}

// URL is where it listens.
func (r *realServer) URL() string { return "http://" + r.address }

// realServers are those of this machine. versitygw must be there where
// MXHOOK_INTEROP=require; MinIO takes minutes to build and is named by MXHOOK_MINIO.
func realServers(t *testing.T) (list []*realServer) {
	if binary, err := exec.LookPath("versitygw"); err == nil {
		list = append(list, &realServer{name: "versitygw", binary: binary})
	} else if os.Getenv("MXHOOK_INTEROP") == "require" {
		t.Fatal("versitygw is not installed, and MXHOOK_INTEROP=require")
	}
	if binary := os.Getenv("MXHOOK_MINIO"); binary != "" {
		list = append(list, &realServer{name: "minio", binary: binary})
	}
	if len(list) == 0 {
		t.Skip("neither versitygw is in PATH nor MXHOOK_MINIO set")
	}
	for _, r := range list {
		r.dir = t.TempDir()
	}
	return list
}

// start starts the server, at a free port the first time and at the same one then. A port
// that somebody else took meanwhile is left for another.
func (r *realServer) start(t *testing.T) {
	t.Helper()
	again := r.address != ""
	for range 5 {
		if !again {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			r.address = l.Addr().String()
			l.Close()
		}
		r.said = &bytes.Buffer{}
		switch r.name {
		case "versitygw":
			r.process = exec.Command(r.binary, "--quiet", "--port", r.address, "posix", r.dir)
			r.process.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
		case "minio":
			r.process = exec.Command(r.binary, "server", r.dir, "--address", r.address, "--console-address", "127.0.0.1:0", "--quiet")
			r.process.Env = append(os.Environ(), "MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey, "MINIO_UPDATE=off", "MINIO_BROWSER=off")
		}
		r.process.Stdout, r.process.Stderr = r.said, r.said
		if err := r.process.Start(); err != nil {
			t.Fatal(err)
		}
		r.ended = make(chan struct{})
		go func(p *exec.Cmd, ended chan struct{}) {
			p.Wait()
			close(ended)
		}(r.process, r.ended)
		if r.ready() {
			return
		}
		r.stop()
	}
	t.Fatalf("%s does not start: %s", r.name, r.said)
}

// ready waits until the server answers.
func (r *realServer) ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := http.Get(r.URL() + "/"); err == nil {
			resp.Body.Close()
			if resp.StatusCode < 500 {
				return true
			}
		}
		select {
		case <-tick.C:
		case <-r.ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// stop kills the server.
func (r *realServer) stop() {
	r.process.Process.Kill()
	<-r.ended
}

// client is the SDK's own way to the server, for what the sink doesn't do.
func (r *realServer) client() *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: aws.String(r.URL()), Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

// bucket makes a fresh bucket.
func (r *realServer) bucket(t *testing.T, name string) {
	t.Helper()
	if _, err := r.client().CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err, r.said)
	}
}

// keys returns the keys of a bucket.
func (r *realServer) keys(t *testing.T, bucket string) (keys []string) {
	return slices.Sorted(maps.Keys(r.digests(t, bucket)))
}

// digests returns the keys of a bucket, each with what changes when it is written again.
func (r *realServer) digests(t *testing.T, bucket string) map[string]string {
	t.Helper()
	all := map[string]string{}
	out, err := r.client().ListObjectsV2(context.Background(), &sdk.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Contents {
		all[aws.ToString(o.Key)] = aws.ToString(o.ETag) + aws.ToTime(o.LastModified).String()
	}
	return all
}
