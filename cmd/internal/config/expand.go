package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// expand puts environment variables in: ${NAME}, and ${NAME:-default} where NAME is
// unset or empty; a default is text and holds no variable. $${ is ${ itself, and every other $ is a $. What was put in is not
// expanded again.
func (d *decoder) expand(raw string, p place) (text string, expanded, ok bool) {
	var b strings.Builder
	ok = true
	for s := raw; ; {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), expanded, ok
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		inside, rest, closed := strings.Cut(s[i+2:], "}")
		name, byDefault, hasDefault := strings.Cut(inside, ":-")
		if !closed || !isVariable(name) {
			d.fault(p, "a variable is written ${NAME} or ${NAME:-default}, and ${ itself $${")
			return "", expanded, false
		}
		if strings.Contains(byDefault, "${") {
			d.fault(p, "the default of ${%s:-…} can't hold another variable; write it out", name)
			return "", expanded, false
		}
		value, set := d.env(name)
		switch {
		case value != "":
			d.hide(value, "${"+name+"}")
		case hasDefault:
			value = byDefault
		case !set:
			d.fault(p, "environment variable %s is not set; set it, or write ${%s:-default}", name, name)
			ok = false
		}
		b.WriteString(value)
		expanded = true
		s = rest
	}
}

func isVariable(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// Bounds of the files that a configuration names, in octets. A bundle of
// authorities has a quarter of a million.
const (
	maxSecretFile = 64 << 10
	maxPEM        = 4 << 20
)

// readFile returns the content of a regular file of at most max octets, without its
// last line end. The error holds nothing of it.
func readFile(name string, max int64) (string, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", errors.New("there is no such file")
	case errors.Is(err, os.ErrPermission):
		return "", errors.New("it may not be read; give mxhook's user the permission")
	case err != nil || !info.Mode().IsRegular():
		return "", errors.New("it is no file that can be read")
	}
	f, err := os.Open(name)
	if err != nil {
		return "", errors.New("it may not be read; give mxhook's user the permission")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	switch {
	case err != nil:
		return "", errors.New("it can't be read")
	case int64(len(data)) > max:
		return "", fmt.Errorf("it is larger than %s", showSize(max))
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", errors.New("it is empty")
	}
	return text, nil
}
