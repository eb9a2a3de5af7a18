package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/inbound/ses"
	"mxhook/routing"
)

// The environment of the function. serverless.yml sets what it needs of them.
const (
	envConfig     = "MXHOOK_CONFIG"      // the configuration's file; default mxhook.yaml beside the program
	envConfigText = "MXHOOK_CONFIG_TEXT" // the configuration itself, instead
	envSSMPath    = "MXHOOK_SSM_PATH"    // below it are parameters for ${NAME}
	envSESBucket  = "MXHOOK_SES_BUCKET"  // where SES keeps messages; without it none are taken
	envSESPrefix  = "MXHOOK_SES_PREFIX"  // of their keys
	envDeadQueue  = "MXHOOK_DEAD_QUEUE"  // the URL of the queue for what no try will deliver
)

// environment returns all names that the program reads besides ${NAME}.
func environment() []string {
	return []string{envConfig, envConfigText, envSSMPath, envSESBucket, envSESPrefix, envDeadQueue}
}

// initTime is for everything before the first event; Lambda gives 10 s.
const initTime = 9 * time.Second

// start reads the configuration and builds the parts. The error names the thing and the
// cure and holds no secret.
func start(ctx context.Context, env func(string) (string, bool), stderr io.Writer) (*handler, error) {
	ctx, cancel := context.WithTimeout(ctx, initTime)
	defer cancel()
	sdk, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, errors.New("the AWS SDK can't read its configuration; look at the variables AWS_…")
	}
	if path, ok := env(envSSMPath); ok && path != "" {
		if env, err = withParameters(ctx, sdk, path, env); err != nil {
			return nil, err
		}
	}
	c, err := load(env)
	if err != nil {
		return nil, err
	}
	if err := fits(c); err != nil {
		return nil, err
	}
	var level slog.Level
	if level.UnmarshalText([]byte(c.Log.Level)) != nil {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	release, commit := version()
	return build(c, sdk, env, bridge.Options{Log: log, Version: release, Commit: commit})
}

// build makes the handler of a configuration that fits.
func build(c *config.Config, sdk aws.Config, env func(string) (string, bool), o bridge.Options) (*handler, error) {
	b, err := bridge.New(c, o)
	if err != nil {
		return nil, err
	}
	h := &handler{bridge: b, queued: b, sources: c.Sources, budget: c.Delivery.Budget, log: o.Log}
	h.bucket, _ = env(envSESBucket)
	h.prefix, _ = env(envSESPrefix)
	if url, ok := env(envDeadQueue); ok && url != "" {
		h.dead = &deadLetters{client: sqs.NewFromConfig(sdk), url: url}
	}
	if err := b.Store().Admit(0); err != nil {
		h.close()
		return nil, fmt.Errorf("no message would be taken: %w; a Lambda has 512 MiB in /tmp unless it is given more, so set limits: {disk_reserve: 64MiB}", err)
	}
	if h.bucket == "" {
		return h, nil
	}
	if len(c.Routes) == 0 {
		h.close()
		return nil, errors.New(envSESBucket + " is set, but the configuration has no routes for what SES receives; add routes or unset it")
	}
	h.ses = ses.New(ses.Config{
		Handler: b, Objects: ses.NewBucket(s3.NewFromConfig(sdk)), Store: b.Store(), Bucket: h.bucket, Prefix: h.prefix,
		MaxSize: c.Limits.MessageSize, Hostname: c.Hostname, Log: o.Log,
	})
	return h, nil
}

// load reads the configuration. Its warnings are of listeners, and there are none.
func load(env func(string) (string, bool)) (*config.Config, error) {
	var c *config.Config
	var problems []config.Problem
	if text, ok := env(envConfigText); ok && text != "" {
		c, problems = config.Parse(envConfigText, []byte(text), env)
	} else {
		file, _ := env(envConfig)
		c, problems = config.Load(cmp.Or(file, beside("mxhook.yaml")), env)
	}
	if c != nil {
		return c, nil
	}
	var lines []string
	for _, p := range problems {
		if !p.Warning {
			lines = append(lines, p.String())
		}
	}
	return nil, errors.New("the configuration has faults:\n" + strings.Join(lines, "\n"))
}

// beside returns a file in the program's own folder.
func beside(name string) string {
	if program, err := os.Executable(); err == nil {
		return filepath.Join(filepath.Dir(program), name)
	}
	return name
}

// fits tells why a configuration can't be one of a Lambda, where nothing outlives the
// process: neither files nor what waits in them.
func fits(c *config.Config) error {
	var faults []string
	if c.Delivery.Ledger != 0 {
		faults = append(faults, "delivery: ledger must be 0, since a Lambda keeps no files; receivers know repeats by webhook-id")
	}
	temp := filepath.Clean(os.TempDir())
	if state := filepath.Clean(c.State); state != temp && !strings.HasPrefix(state, temp+string(filepath.Separator)) {
		faults = append(faults, "state must be below "+temp+", the only folder that can be written")
	}
	for _, s := range c.Sinks {
		if s.Type == "dir" {
			faults = append(faults, fmt.Sprintf("sinks: %s is a folder, whose files end with the Lambda; use an s3 sink", s.Name))
		}
	}
	if i := slices.IndexFunc(c.Routes, func(r routing.Rule) bool { return r.Spool || r.SpillAfter > 0 }); i >= 0 {
		faults = append(faults, fmt.Sprintf("routes: %s has mode: spool or spill_after, and the spool would end with the Lambda; the queue keeps what waits", c.Routes[i].Name))
	}
	if faults == nil {
		return nil
	}
	return errors.New("the configuration is none for a Lambda:\n" + strings.Join(faults, "\n"))
}

// version is what the build says of itself.
func version() (release, commit string) {
	release = "devel"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release, ""
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		release = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return release, commit
}
