package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the version of a release, set when it is linked; a build without it
// tells its module version or "devel".
var version = ""

// buildVersion returns what `mxhook version`, the User-Agent and the metrics tell.
func buildVersion() (release, commit string) {
	release, commit = version, "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel", commit
	}
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		commit += "+changes"
	}
	if release == "" {
		release = info.Main.Version
	}
	if release == "" || release == "(devel)" {
		release = "devel"
	}
	return release, commit
}

// runVersion prints version, commit and Go version on one line.
func runVersion(_ context.Context, t *terminal, args []string) int {
	if _, status, ok := newFlags(t, "version").parse(args, 0, 0); !ok {
		return status
	}
	release, commit := buildVersion()
	fmt.Fprintf(t.stdout, "mxhook %s, commit %s, %s\n", release, commit, runtime.Version())
	return exitGood
}
