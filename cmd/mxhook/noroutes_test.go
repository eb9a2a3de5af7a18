package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestAConfigurationWithoutRoutesSaysWhatItDoesInstead: no reply of SMTP is made up for it.
func TestAConfigurationWithoutRoutesSaysWhatItDoesInstead(t *testing.T) {
	config := writeFile(t, "worker.yaml", `hostname: worker.in.example
sources:
  - {name: jobs, type: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/1/jobs", deliver: [app], optional: [copy]}
sinks:
  app: {type: webhook, url: "https://app.example/in/{tag}", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, format: cloudevents}
  copy: {type: dir, path: ./copy}
  archive: {type: s3, bucket: mail-archive, region: eu-central-1}
`)
	message := writeFile(t, "message.eml", "From: ann@b.example\nTo: bob@d.example\nSubject: x\n\nText.\n")
	got := runCommand(t, "", "inspect", "-c", config, "--sink", "app", "--rcpt", "x@y.example", message)
	var p struct{ Data struct{ Route string } }
	if err := json.Unmarshal([]byte(got.stdout), &p); err != nil || got.status != 0 || p.Data.Route != "jobs" || !strings.Contains(got.stderr, "here the route is the source's name, jobs") {
		t.Errorf("%+v: %v", got, err)
	}
	for name, args := range map[string][]string{
		"a sink of no source": {"inspect", "-c", config, "--sink", "archive", message},
		"no sink":             {"inspect", "-c", config, message},
		"explain":             {"explain", "-c", config, "x@y.example"},
	} {
		got := runCommand(t, "", args...)
		if got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, "this configuration has no routes; its sources deliver to app, copy") || strings.Contains(got.stderr, "550") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
