// Package config reads mxhook's configuration: one YAML file, checked as strictly
// as it can be, so that what it returns can be used as it is.
//
// Every fault is told at once, each with its place, its name and its cure. Unknown
// keys, wrong types and undefined names are faults: nothing is ever ignored. The keys,
// their types, their bounds and their defaults stand in one table, keys.go, from which
// README.md's reference is made.
//
// The YAML is read by goccy/go-yaml's parser and walked by hand: no reflection, no
// anchors, aliases, merge keys or tags, one document.
//
// Relative paths are relative to the working folder. No Problem holds a secret or
// the value of an environment variable. The package keeps no state; a Config is not
// changed after it was returned.
package config
