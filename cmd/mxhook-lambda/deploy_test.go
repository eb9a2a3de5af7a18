package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/inbound/ses"
)

const root = "../../"

// deployed is serverless.yml with its parameters.
type deployed struct {
	t      *testing.T
	tree   any
	params map[string]any
}

func readDeployed(t *testing.T) *deployed {
	tree := readYAML(t, root+"serverless.yml")
	return &deployed{t, tree, at(t, tree, "params", "default").(map[string]any)}
}

var parameter = regexp.MustCompile(`\$\{param:(\w+)\}`)

// text is a value with its parameters put in.
func (d *deployed) text(v any) string {
	s, ok := v.(string)
	if !ok {
		d.t.Fatalf("no text: %v", v)
	}
	return parameter.ReplaceAllStringFunc(s, func(p string) string {
		value, ok := d.params[parameter.FindStringSubmatch(p)[1]].(string)
		if !ok {
			d.t.Errorf("%s is not under params", p)
		}
		return value
	})
}

func (d *deployed) number(path ...any) int {
	d.t.Helper()
	n, err := strconv.Atoi(d.text(at(d.t, d.tree, path...)))
	if err != nil {
		d.t.Fatal(path, err)
	}
	return n
}

func (d *deployed) resource(name string) any {
	return at(d.t, d.tree, "resources", "Resources", name, "Properties")
}

func (d *deployed) container() map[string]any {
	return at(d.t, d.resource("Task"), "ContainerDefinitions", 0).(map[string]any)
}

// names are the values of a key in a list of mappings.
func names(t *testing.T, list any, key string) (out []string) {
	for i := range list.([]any) {
		out = append(out, at(t, list, i, key).(string))
	}
	return out
}

func TestEveryParameterIsThereAndUsed(t *testing.T) {
	d := readDeployed(t)
	text := read(t, root+"serverless.yml")
	for _, p := range parameter.FindAllStringSubmatch(text, -1) {
		if _, ok := d.params[p[1]]; !ok {
			t.Errorf("%s is not under params", p[0])
		}
	}
	readme := read(t, root+"examples/deploy/aws/README.md")
	for name := range d.params {
		if !strings.Contains(text, "${param:"+name+"}") {
			t.Errorf("nothing uses the parameter %s", name)
		}
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("README.md doesn't tell of the parameter %s", name)
		}
	}
}

// configs are the configurations with where serverless.yml uses them.
func configs(t *testing.T, d *deployed) map[string][]string {
	c := d.container()
	listener := append(names(t, c["Environment"], "Name"), names(t, c["Secrets"], "Name")...)
	lambda := slices.Collect(maps.Keys(at(t, d.tree, "functions", "worker", "environment").(map[string]any)))
	return map[string][]string{
		"listener.yaml":     listener,
		"listener-tls.yaml": listener,
		"worker.yaml":       append(lambda, "AWS_REGION", "MXHOOK_SECRET"), // Lambda's own, and an SSM parameter of the README
	}
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

func TestTheEnvironmentIsWhatTheConfigurationsName(t *testing.T) {
	d := readDeployed(t)
	readme := read(t, root+"examples/deploy/aws/README.md")
	for file, env := range configs(t, d) {
		used := map[string]bool{}
		for _, m := range variable.FindAllStringSubmatch(read(t, root+"examples/deploy/aws/"+file), -1) {
			used[m[1]] = true
			if !slices.Contains(env, m[1]) {
				t.Errorf("%s names %s, which nothing sets", file, m[0])
			}
		}
		for _, name := range env {
			if !used[name] && !slices.Contains(environment(), name) && name != "AWS_REGION" {
				t.Errorf("%s is set, but %s doesn't name it", name, file)
			}
		}
	}
	for _, name := range []string{"MXHOOK_SECRET", "ADMIN_TOKEN"} {
		if !strings.Contains(readme, "/mxhook/prod/"+name) {
			t.Errorf("README.md doesn't say how to make the parameter %s", name)
		}
	}
}

// load reads a configuration of the examples as it runs there.
func (d *deployed) load(name string) *config.Config {
	d.t.Helper()
	certificate, key := writeCertificate(d.t)
	text := strings.NewReplacer("/etc/mxhook/tls/cert.pem", certificate, "/etc/mxhook/tls/key.pem", key).Replace(read(d.t, root+"examples/deploy/"+name))
	env := map[string]string{
		"MXHOOK_HOSTNAME": d.text("${param:hostname}"), "MXHOOK_DOMAIN": d.text("${param:domain}"), "MXHOOK_WEBHOOK": d.text("${param:webhook}"),
		"MXHOOK_VPC_CIDR": d.text("${param:vpcCidr}"), "MXHOOK_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/mxhook-prod-Queue-1X",
		"MXHOOK_BUCKET": "mxhook-prod-archive-1x", "AWS_REGION": "eu-central-1", "MXHOOK_SECRET": secret, "ADMIN_TOKEN": "token-of-the-admin",
	}
	c, problems := config.Parse(name, []byte(text), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	for _, p := range problems {
		if !p.Warning || !strings.Contains(p.Text, "TLS") && !strings.Contains(p.Text, "used by no route") {
			d.t.Error(p)
		}
	}
	if c == nil {
		d.t.FailNow()
	}
	return c
}

func TestTheConfigurationsAreGood(t *testing.T) {
	d := readDeployed(t)
	for _, name := range []string{"aws/listener.yaml", "aws/listener-tls.yaml", "docker/mxhook.yaml"} {
		c := d.load(name)
		if c.State != "/var/lib/mxhook" || !strings.HasSuffix(c.Listeners[0].Address, ":"+d.text("${param:smtpPort}")) || !strings.HasSuffix(c.Admin.Address, ":"+d.text("${param:adminPort}")) {
			t.Errorf("%s: state %s, listener %s, admin %s", name, c.State, c.Listeners[0].Address, c.Admin.Address)
		}
		if strings.HasPrefix(name, "aws/") && (len(c.Listeners[0].Proxies) != 1 || c.Listeners[0].Proxies[0].String() != d.text("${param:vpcCidr}") || c.Delivery.Ledger != 0) {
			t.Errorf("%s: proxies %v, ledger %v", name, c.Listeners[0].Proxies, c.Delivery.Ledger)
		}
	}
	if err := fits(d.load("aws/worker.yaml")); err != nil {
		t.Error(err)
	}
}

func TestTimesFitIntoEachOther(t *testing.T) {
	d := readDeployed(t)
	listener, worker := d.load("aws/listener.yaml"), d.load("aws/worker.yaml")
	stop, function := d.number("params", "default", "stopTimeout"), d.number("params", "default", "workerTimeout")
	const drain = 30 * time.Second // of serve, beyond the budget
	if left := time.Duration(stop)*time.Second - listener.Delivery.Budget - drain; left < 10*time.Second || stop > 120 {
		t.Errorf("stopTimeout leaves %v after the drain, and Fargate allows 120 s", left)
	}
	if delay := d.number("params", "default", "deregistration"); delay > stop {
		t.Errorf("the balancer sends mail for %d s to a listener that ends after %d", delay, stop)
	}
	if worker.Delivery.Budget+reserve >= time.Duration(function)*time.Second {
		t.Errorf("a budget of %v in a function of %d s", worker.Delivery.Budget, function)
	}
	if hidden := d.number("params", "default", "visibilityTimeout"); hidden < 6*function {
		t.Errorf("messages are hidden for %d s, less than six times %d s", hidden, function)
	}
	if a := d.number("params", "default", "tries") * d.number("params", "default", "visibilityTimeout"); a < 24*3600 {
		t.Errorf("a webhook that is down for %d s loses its mail to the dead-letter queue", a)
	}
	for _, q := range []string{"Queue", "NoticeQueue"} {
		if at(t, d.resource(q), "VisibilityTimeout") != "${param:visibilityTimeout}" || at(t, d.resource(q), "RedrivePolicy") == nil {
			t.Error(q)
		}
	}
}

func TestPortsAndProbes(t *testing.T) {
	d := readDeployed(t)
	targets := d.resource("Targets")
	attributes := map[string]string{}
	for i := range at(t, targets, "TargetGroupAttributes").([]any) {
		attributes[at(t, targets, "TargetGroupAttributes", i, "Key").(string)] = d.text(at(t, targets, "TargetGroupAttributes", i, "Value"))
	}
	if attributes["proxy_protocol_v2.enabled"] != "true" || attributes["preserve_client_ip.enabled"] != "false" || attributes["deregistration_delay.timeout_seconds"] == "" {
		t.Errorf("%v", attributes)
	}
	if at(t, targets, "HealthCheckPath") != "/readyz" || at(t, targets, "HealthCheckPort") != "${param:adminPort}" || at(t, targets, "Protocol") != "TCP" || at(t, targets, "TargetType") != "ip" {
		t.Errorf("%v", targets)
	}
	if l := d.resource("BalancerListener"); at(t, l, "Port") != "25" || at(t, l, "Protocol") != "TCP" {
		t.Errorf("%v", l)
	}
	c := d.container()
	if ports := names(t, c["PortMappings"], "ContainerPort"); !slices.Equal(ports, []string{"${param:smtpPort}", "${param:adminPort}"}) {
		t.Errorf("ports %v", ports)
	}
	if c["ReadonlyRootFilesystem"] != "true" || c["StopTimeout"] != "${param:stopTimeout}" {
		t.Errorf("%v", c)
	}
	mapping := d.resource("NoticeMapping")
	event := at(t, d.tree, "functions", "worker", "events", 0, "sqs")
	if at(t, mapping, "FunctionResponseTypes", 0) != "ReportBatchItemFailures" || at(t, event, "functionResponseType") != "ReportBatchItemFailures" {
		t.Error("a batch that fails in part would be taken for delivered")
	}
}

// actions of the operations that our code calls (Service Authorization Reference).
var actionsOf = map[string]string{
	"s3.PutObject": "s3:PutObject", "s3.GetObject": "s3:GetObject", "s3.HeadObject": "s3:GetObject", "s3.ListObjectsV2": "s3:ListBucket",
	"sqs.SendMessage": "sqs:SendMessage", "sqs.SendMessageBatch": "sqs:SendMessage", "sqs.GetQueueAttributes": "sqs:GetQueueAttributes",
	"sqs.ReceiveMessage": "sqs:ReceiveMessage", "sqs.DeleteMessage": "sqs:DeleteMessage", "sqs.ChangeMessageVisibility": "sqs:ChangeMessageVisibility",
	"ssm.GetParametersByPath": "ssm:GetParametersByPath",
}

var input = regexp.MustCompile(`\b(?:aws)?(s3|sqs|ssm)\.(\w+)Input\{`)

// calls returns the actions of what the Go files of a folder call.
func calls(t *testing.T, folder string, without ...string) (list []string) {
	files, err := filepath.Glob(root + folder + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(folder, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range input.FindAllStringSubmatch(read(t, file), -1) {
			action, ok := actionsOf[m[1]+"."+m[2]]
			if !ok {
				t.Errorf("%s calls %s.%s, whose action this test doesn't know", file, m[1], m[2])
			}
			if !slices.Contains(without, action) {
				list = append(list, action)
			}
		}
	}
	return list
}

// allowed returns the actions of a role, and those that are allowed on everything.
func (d *deployed) allowed(role string) (list, everywhere []string) {
	statements := at(d.t, d.resource(role), "Policies", 0, "PolicyDocument", "Statement").([]any)
	for i := range statements {
		actions := at(d.t, statements[i], "Action")
		one, ok := actions.([]any)
		if !ok {
			one = []any{actions}
		}
		for _, a := range one {
			list = append(list, a.(string))
			if at(d.t, statements[i], "Resource") == "*" {
				everywhere = append(everywhere, a.(string))
			}
			if strings.Contains(a.(string), "*") {
				d.t.Errorf("%s may do %s", role, a)
			}
		}
	}
	return sorted(list), everywhere
}

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

func TestRolesAllowWhatTheCodeCallsAndNothingElse(t *testing.T) {
	d := readDeployed(t)
	onObjects, onBucket := ses.Actions()
	logs := []string{"logs:CreateLogStream", "logs:PutLogEvents"}
	for role, c := range map[string]struct{ want, everywhere []string }{
		// The sinks of listener.yaml. The s3 sink asks for an object that it has just put
		// only where another sink stores in it, and lists only for doctor.
		"ListenerRole": {want: slices.Concat(calls(t, "sinks/s3", "s3:GetObject", "s3:ListBucket"), calls(t, "sinks/sqs"))},
		// Lambda's own poller receives and deletes in the function's name. Events that were
		// too large for the queue are got like messages of SES.
		"WorkerRole": {want: slices.Concat(logs, calls(t, "inbound/ses"), calls(t, "cmd/mxhook-lambda"), onObjects, onBucket, parametersActions(),
			[]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"})},
		// What Fargate needs to start a task.
		"ExecutionRole": {want: slices.Concat(logs, []string{"ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ssm:GetParameters"}),
			everywhere: []string{"ecr:GetAuthorizationToken"}},
	} {
		got, everywhere := d.allowed(role)
		if want := sorted(c.want); !slices.Equal(got, want) {
			t.Errorf("%s may do\n%v, and needs\n%v", role, got, want)
		}
		if !slices.Equal(everywhere, c.everywhere) {
			t.Errorf("%s may do %v everywhere", role, everywhere)
		}
	}
}

func TestBucketsAndQueuesAreClosed(t *testing.T) {
	d := readDeployed(t)
	for _, b := range []string{"Archive", "Inbound"} {
		closed := at(t, d.resource(b), "PublicAccessBlockConfiguration").(map[string]any)
		rules := fmt.Sprint(at(t, d.resource(b), "LifecycleConfiguration", "Rules"))
		if len(closed) != 4 || fmt.Sprint(closed) != "map[BlockPublicAcls:true BlockPublicPolicy:true IgnorePublicAcls:true RestrictPublicBuckets:true]" ||
			at(t, d.resource(b), "BucketEncryption") == nil || !strings.Contains(rules, "AbortIncompleteMultipartUpload") || !strings.Contains(rules, "ExpirationInDays") {
			t.Errorf("%s: %v", b, d.resource(b))
		}
	}
	for _, q := range []string{"Queue", "NoticeQueue", "DeadLetters"} {
		if at(t, d.resource(q), "SqsManagedSseEnabled") != "true" {
			t.Errorf("%s is not encrypted", q)
		}
	}
	prefix := at(t, d.tree, "functions", "worker", "environment", envSESPrefix)
	if action := at(t, d.resource("Rule"), "Rule", "Actions", 0, "S3Action"); at(t, action, "ObjectKeyPrefix") != prefix || at(t, action, "BucketName") != at(t, d.tree, "functions", "worker", "environment", envSESBucket) {
		t.Errorf("%v", action)
	}
}

func TestTheImage(t *testing.T) {
	d := readDeployed(t)
	var stages [][]string
	for line := range strings.Lines(read(t, root+"examples/deploy/docker/Dockerfile")) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if strings.HasPrefix(line, "FROM ") {
			stages = append(stages, nil)
		}
		stages[len(stages)-1] = append(stages[len(stages)-1], line)
	}
	if len(stages) != 2 || stages[1][0] != "FROM scratch" {
		t.Fatalf("%q", stages)
	}
	image := strings.Join(stages[1], "\n")
	if strings.Contains(image, "RUN ") {
		t.Error("nothing can run in an empty image")
	}
	for _, want := range []string{
		"USER " + d.container()["User"].(string), `ENTRYPOINT ["/mxhook"]`, "VOLUME [\"/var/lib/mxhook\"]", "ca-certificates.crt",
		"EXPOSE " + d.text("${param:smtpPort} ${param:adminPort}"),
		"COPY --from=build --chown=" + d.container()["User"].(string) + " /out/state /var/lib/mxhook",
	} {
		if !strings.Contains(image, want) {
			t.Errorf("no %s in\n%s", want, image)
		}
	}
	build := strings.Join(stages[0], "\n")
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, root+"go.mod"))[1]
	for _, want := range []string{"golang:" + goVersion + " ", "CGO_ENABLED=0", "./cmd/mxhook\n", "examples/deploy/aws/listener*.yaml"} {
		if !strings.Contains(build, want) {
			t.Errorf("no %s in\n%s", want, build)
		}
	}
	for _, arg := range at(t, d.container(), "Command").([]any) {
		choice, ok := arg.(function)
		if !ok {
			continue
		}
		for _, file := range choice.value.([]any)[1:] {
			if _, err := os.Stat(root + "examples/deploy/aws/" + strings.TrimPrefix(file.(string), "/etc/mxhook/")); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestNoTemplatesAreInTheProgram looks for what makes the linker keep every exported
// method: with the admin page's templates the program has a half more.
func TestNoTemplatesAreInTheProgram(t *testing.T) {
	out, err := exec.Command("go", "tool", "nm", program(t)).Output()
	if err != nil {
		t.Skip("the go command can't list symbols here:", err)
	}
	if strings.Contains(string(out), "text/template.(*state).evalField") {
		t.Error("text/template is in the program; look at bridge.Options.Page")
	}
}
