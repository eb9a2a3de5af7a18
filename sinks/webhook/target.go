package webhook

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// target is a URL with places for captures in its path and query.
type target struct {
	base     *url.URL // without path and query; never changes with a capture
	pieces   []piece
	captures []string
}

// piece is a literal text or the place of a capture.
type piece struct {
	text    string
	capture bool
	query   bool // after the first "?"
}

const maxURL = 8 << 10

var (
	captureName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

	errExpand = errors.New("a capture would change the URL beyond its place")
)

// parseTarget reads a URL with captures. Errors never hold the URL, which may
// carry a password or a token.
func parseTarget(raw string) (target, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return target{}, errors.New("url: must begin with http:// or https://")
	}
	authority, rest := rest, ""
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority, rest = authority[:i], authority[i:]
	}
	if strings.ContainsAny(authority, "{}") {
		return target{}, errors.New("url: a capture may stand in the path and the query only")
	}
	base, err := url.Parse(scheme + "://" + authority)
	if err != nil || base.Hostname() == "" {
		return target{}, errors.New("url: the host is not valid")
	}
	rest, fragment, found := strings.Cut(rest, "#")
	if found && strings.ContainsAny(fragment, "{}") {
		return target{}, errors.New("url: a capture may stand in the path and the query only")
	}
	t := target{base: base}
	if err := t.split(rest); err != nil {
		return target{}, err
	}
	if _, err := t.parse(t.fill(func(string) string { return "x" })); err != nil {
		return target{}, errors.New("url: the path or the query is not valid")
	}
	return t, nil
}

// split cuts path and query into pieces.
func (t *target) split(s string) error {
	query := false
	for s != "" {
		text, rest, found := strings.Cut(s, "{")
		if strings.Contains(text, "}") {
			return errors.New("url: } without {")
		}
		if text != "" {
			t.pieces = append(t.pieces, piece{text: text})
			query = query || strings.Contains(text, "?")
		}
		if !found {
			return nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !captureName.MatchString(name) {
			return errors.New("url: a capture is written {name}, with letters, digits and _")
		}
		t.pieces = append(t.pieces, piece{text: name, capture: true, query: query})
		if !slices.Contains(t.captures, name) {
			t.captures = append(t.captures, name)
		}
		s = after
	}
	return nil
}

func (t *target) fill(value func(name string) string) string {
	var b strings.Builder
	for _, p := range t.pieces {
		switch {
		case !p.capture:
			b.WriteString(p.text)
		case p.query:
			b.WriteString(strings.ReplaceAll(url.QueryEscape(value(p.text)), "+", "%20"))
		default:
			b.WriteString(url.PathEscape(value(p.text)))
		}
	}
	return b.String()
}

func (t *target) parse(pathAndQuery string) (*url.URL, error) {
	base := *t.base
	u, err := url.Parse(base.String() + pathAndQuery)
	if err != nil || len(pathAndQuery) > maxURL {
		return nil, errExpand
	}
	if u.Scheme != t.base.Scheme || u.Host != t.base.Host || u.User.String() != t.base.User.String() {
		return nil, errExpand
	}
	return u, nil
}

// expand puts the captures in. They are percent-encoded ("/" becomes %2F), so that
// scheme, user, host, port and the number of path segments stay what they were, and
// no segment becomes "." or "..". The errors hold no value.
func (t *target) expand(captures map[string]string) (*url.URL, error) {
	for _, name := range t.captures {
		if _, ok := captures[name]; !ok {
			return nil, fmt.Errorf("the URL needs the capture %q, which the route doesn't have", name)
		}
	}
	filled := t.fill(func(name string) string { return captures[name] })
	u, err := t.parse(filled)
	if err != nil {
		return nil, err
	}
	if len(t.captures) > 0 && dotSegments(u.EscapedPath()) != t.ownDotSegments() {
		return nil, errExpand
	}
	return u, nil
}

// ownDotSegments counts the dot segments that the template itself has.
func (t *target) ownDotSegments() int {
	path, _, _ := strings.Cut(t.fill(func(string) string { return "x" }), "?")
	return dotSegments(path)
}

// dotSegments counts the segments that a server may resolve (RFC 3986 5.2.4).
func dotSegments(path string) (n int) {
	for segment := range strings.SplitSeq(path, "/") {
		if s, err := url.PathUnescape(segment); err == nil && (s == "." || s == "..") {
			n++
		}
	}
	return n
}

// hostPort returns host:port, the only part of the URL that logs and errors name.
func (t *target) hostPort() string {
	if t.base.Port() != "" {
		return t.base.Host
	}
	if t.base.Scheme == "http" {
		return t.base.Host + ":80"
	}
	return t.base.Host + ":443"
}
