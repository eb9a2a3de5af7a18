package main

import (
	"archive/zip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tool finds a program, without which the test is skipped, or fails where CI wants it.
func tool(t *testing.T, name, cure string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("MXHOOK_INTEROP") == "require":
		t.Fatalf("%s is needed: %s", name, cure)
	default:
		t.Skipf("%s is not here: %s", name, cure)
	}
	return path
}

// packaged runs osls over serverless.yml and returns the template's file.
func packaged(t *testing.T, params ...string) (file, output string, err error) {
	t.Helper()
	osls := tool(t, "osls", "npm ci in cmd/mxhook-lambda/testdata/osls, and its node_modules/.bin in PATH")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "build"), 0o700); err != nil {
		t.Fatal(err)
	}
	artifact, err := os.Create(filepath.Join(dir, "build/worker.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(artifact)
	z.Create("bootstrap")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	artifact.Close()
	text := read(t, root+"serverless.yml")
	for i := 0; i+1 < len(params); i += 2 {
		if !strings.Contains(text, params[i]) {
			t.Fatalf("%q is not there", params[i])
		}
		text = strings.Replace(text, params[i], params[i+1], 1)
	}
	if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(osls, "package")
	cmd.Dir = dir
	// A proxy that isn't there keeps it offline.
	cmd.Env = append(os.Environ(), "HOME="+dir, "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "CI=1", "SLS_NOTIFICATIONS_MODE=off")
	out, err := cmd.CombinedOutput()
	return filepath.Join(dir, ".serverless/cloudformation-template-update-stack.json"), string(out), err
}

func TestServerlessPackagesOfflineAndTheTemplateHolds(t *testing.T) {
	file, out, err := packaged(t, "ses: 'false' ", "ses: 'true' ", "certificates: '' ", "certificates: fs-12345678 ", "alarms: '' ", "alarms: arn:aws:sns:eu-central-1:123456789012:alarms ")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var template map[string]any
	if err := json.Unmarshal([]byte(read(t, file)), &template); err != nil {
		t.Fatal(err)
	}
	checkTemplate(t, template)
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Log("cfn-lint is not here; our own check stands alone")
		return
	}
	// The framework's own DependsOn is more than is needed.
	if out, err := exec.Command(lint, "--ignore-checks", "W3005", "--regions", "eu-central-1", "--", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestServerlessRefusesWhatItDoesNotKnow(t *testing.T) {
	if _, out, err := packaged(t, "batchSize: 10", "batchSiz: 10"); err == nil || !strings.Contains(out, "batchSiz") {
		t.Errorf("%v: %s", err, out)
	}
}

// checkTemplate holds what a template's parts say of each other: each name leads to a
// part, each attribute is one of its type, what is made conditionally is asked for under
// that condition alone.
func checkTemplate(t *testing.T, template map[string]any) {
	t.Helper()
	resources := template["Resources"].(map[string]any)
	parameters, _ := template["Parameters"].(map[string]any)
	conditions, _ := template["Conditions"].(map[string]any)
	if len(resources) < 30 {
		t.Errorf("only %d resources", len(resources))
	}
	known := func(name string) bool {
		return resources[name] != nil || parameters[name] != nil || strings.HasPrefix(name, "AWS::")
	}
	for name, r := range resources {
		r := r.(map[string]any)
		own, _ := r["Condition"].(string)
		if own != "" && conditions[own] == nil {
			t.Errorf("%s: no condition %s", name, own)
		}
		walk(r, "", func(key string, v any, condition string) {
			var to string
			switch x := v.(type) {
			case string:
				to = x
			case []any:
				if len(x) > 0 {
					to, _ = x[0].(string)
				}
			}
			switch key {
			case "Ref":
				if !known(to) {
					t.Errorf("%s: Ref %s leads nowhere", name, to)
				}
			case "Fn::GetAtt":
				target, attribute, found := strings.Cut(to, ".")
				if list, ok := v.([]any); ok {
					target, attribute, found = to, list[1].(string), true
				}
				if resources[target] == nil || !found {
					t.Errorf("%s: GetAtt %v leads nowhere", name, v)
					return
				}
				to = target
				kind := resources[target].(map[string]any)["Type"].(string)
				if !slices.Contains(attributes[kind], attribute) {
					t.Errorf("%s: %s has no attribute %s", name, kind, attribute)
				}
			case "Fn::If":
				if conditions[to] == nil {
					t.Errorf("%s: no condition %s", name, to)
				}
				return
			case "DependsOn":
				if resources[to] == nil {
					t.Errorf("%s: DependsOn %s leads nowhere", name, to)
				}
			default:
				return
			}
			if target, ok := resources[to].(map[string]any); ok {
				if needs, _ := target["Condition"].(string); needs != "" && needs != own && needs != condition {
					t.Errorf("%s asks for %s, which is there under %s alone", name, to, needs)
				}
			}
		})
	}
}

// attributes that the template asks for, by type (CloudFormation's Return values).
var attributes = map[string][]string{
	"AWS::EC2::EIP":     {"AllocationId"},
	"AWS::ECS::Service": {"Name"},
	"AWS::ElasticLoadBalancingV2::LoadBalancer": {"LoadBalancerFullName"},
	"AWS::ElasticLoadBalancingV2::TargetGroup":  {"TargetGroupFullName"},
	"AWS::IAM::Role":        {"Arn"},
	"AWS::Lambda::Function": {"Arn"},
	"AWS::Logs::LogGroup":   {"Arn"},
	"AWS::S3::Bucket":       {"Arn"},
	"AWS::SQS::Queue":       {"Arn", "QueueName"},
}

// walk calls f for each key with its value and the condition of the Fn::If around it.
func walk(v any, condition string, f func(key string, v any, condition string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			f(key, x, condition)
			if list, ok := x.([]any); ok && key == "Fn::If" && len(list) == 3 {
				walk(list[1], list[0].(string), f)
				walk(list[2], condition, f)
				continue
			}
			walk(x, condition, f)
		}
	case []any:
		for _, x := range v {
			walk(x, condition, f)
		}
	}
}
