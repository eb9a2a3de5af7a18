package config

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"mxhook/sinks/payload/formats"
	"mxhook/sinks/webhook"
)

// headers reads the fields to add. Their values may be keys, so that they are
// secrets, and NAME_file names the file that holds the value of NAME.
func (d *decoder) headers(s *section) map[string]Secret {
	n := s.values["headers"]
	if n == nil {
		return nil
	}
	list, ok := d.pairs(n, s.key("headers"))
	if !ok {
		return nil
	}
	headers := make(map[string]Secret, len(list))
	seen := map[string]pair{}
	for _, p := range list {
		name, inFile := strings.CutSuffix(p.name, "_file")
		what := s.key("headers: " + quote(p.name))
		v := d.scalar(p.value, what, !inFile)
		if inFile {
			v = s.fromFile(v, "headers: "+quote(p.name))
		}
		first, twice := seen[strings.ToLower(name)]
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			d.fault(p.place, "%s is no name of a header field", what)
		case isReserved(name):
			d.fault(p.place, "%s is set by mxhook itself; remove it", what)
		case twice && strings.EqualFold(first.name, p.name):
			d.fault(p.place, "%s stands twice", what)
		case twice:
			d.fault(p.place, "%s and %s contradict each other; keep one", what, quote(first.name))
		case v.ok && !httpguts.ValidHeaderFieldValue(v.text):
			d.fault(v.place, "%s: the value has line ends or other control characters", what)
		case v.ok:
			headers[name] = Secret(v.text)
		}
		if !twice {
			seen[strings.ToLower(name)] = p
		}
	}
	return headers
}

// sinkSecrets reads the keys that sign, or the one that the format's provider knows.
// Without one there is a warning.
func (d *decoder) sinkSecrets(s *section) []Secret {
	kind, _ := formats.Find(s.text("format"))
	switch {
	case kind.Secret != formats.StandardWebhooks:
		return d.providerSecret(s, kind)
	case kind.BasicAuth && !s.has("secret") && !s.has("secret_file"):
		if !s.hasUser() {
			d.warn(s.place, "%s has neither a user and password in its url nor a secret, so that its receiver can't tell us from anybody else; format %s is known by the first (as its provider is): write url: https://USER:PASSWORD@HOST/… and let the app ask for them", s.what, kind.Name)
		}
		return []Secret{}
	}
	return d.webhookSecrets(s)
}

// hasUser tells whether the section's url has a user and password.
func (s *section) hasUser() bool {
	v := s.single["url"]
	return v.ok && strings.Contains(authorityOf(v.text), "@")
}

// webhookSecrets reads the keys that sign. Without one there is a warning.
func (d *decoder) webhookSecrets(s *section) []Secret {
	all := []Secret{}
	given := s.secrets("secret")
	for _, v := range given {
		if !v.ok {
			continue
		}
		text := strings.TrimSpace(v.text)
		octets, isBase64 := secretOctets(text)
		switch {
		case text == "":
			d.fault(v.place, "%s: secret is empty; make one with: echo whsec_$(openssl rand -base64 32)", s.what)
		case !isBase64 || octets == 0:
			d.fault(v.place, "%s: secret must be whsec_ and base64, as Standard Webhooks want it; make one with: echo whsec_$(openssl rand -base64 32)", s.what)
		case slices.Contains(all, Secret(text)):
			d.fault(v.place, "%s: secret: the same key stands twice; keep one", s.what)
		default:
			all = append(all, Secret(text))
			if octets < 24 || octets > 64 {
				d.warn(v.place, "%s: secret has not 24 to 64 octets, as Standard Webhooks want it; make one with: echo whsec_$(openssl rand -base64 32)", s.what)
			}
		}
	}
	if !s.has("secret") && !s.has("secret_file") {
		d.warn(s.place, "%s has no secret, so that its receiver can't tell us from anybody else; add secret: \"${MXHOOK_SECRET}\"", s.what)
	} else if n := s.values["secret"]; n != nil && len(given) == 0 {
		d.warn(s.place, "%s has an empty list of secrets, so that its receiver can't tell us from anybody else", s.what)
	}
	return all
}

// providerSecret reads the key of a format that signs as its provider does.
func (d *decoder) providerSecret(s *section, kind formats.Kind) []Secret {
	given := s.secrets("secret")
	switch {
	case len(given) > 1:
		d.fault(given[1].place, "%s: secret: format %s has one key; keep one", s.what, kind.Name)
		return nil
	case len(given) == 0:
		if kind.BasicAuth && s.hasUser() {
			return nil
		}
		d.warn(s.place, "%s has no secret, so that its receiver can't tell us from anybody else; format %s takes %s", s.what, kind.Name, kind.SecretIs)
		return nil
	case !given[0].ok:
		return nil
	}
	v := given[0]
	text := strings.TrimSpace(v.text)
	if text == "" {
		d.fault(v.place, "%s: secret is empty; format %s takes %s", s.what, kind.Name, kind.SecretIs)
		return nil
	}
	if _, err := formats.New(kind.Name, formats.Options{Secret: text}); err != nil {
		d.fault(v.place, "%s: secret: %v", s.what, err)
		return nil
	}
	return []Secret{Secret(text)}
}

// secretOctets returns the length of a key that is written as the libraries of
// Standard Webhooks take it: base64, with or without whsec_ before it.
func secretOctets(s string) (octets int, ok bool) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
	return len(key), err == nil
}

// url reads where to post. The URL may hold a password or a token, so that no
// problem quotes it.
func (d *decoder) url(s *section, w *Webhook) {
	v, ok := s.single["url"]
	if !ok {
		if !s.has("url") {
			d.fault(s.place, "%s: url is missing; add url: \"https://app.example.com/inbound\"", s.what)
		}
		return
	}
	d.hide(v.text, redacted)
	why, insecure := "", false
	if w.Captures, insecure, why = checkURL(v.text); why != "" {
		d.fault(v.place, "%s: url %s", s.what, why)
		return
	}
	w.URL = Secret(v.text)
	if insecure {
		d.warn(v.place, "%s: url is http:// beyond loopback, so that mail goes in clear; use https://", s.what)
	}
	if strings.Contains(authorityOf(v.text), "@") {
		for name := range w.Headers {
			if strings.EqualFold(name, "Authorization") {
				d.warn(v.place, "%s: url holds a user and headers an Authorization; the header is sent", s.what)
			}
		}
	}
}

// proxy reads the way to the URL. It may hold a password, so that no problem quotes it.
func (d *decoder) proxy(s *section, w *Webhook) {
	v, ok := s.single["proxy"]
	if !ok || v.text == "" {
		return
	}
	d.hide(v.text, redacted)
	u, err := webhook.ParseProxy(v.text)
	if err != nil {
		d.fault(v.place, "%s: proxy %v", s.what, err)
		return
	}
	w.Proxy = Secret(v.text)
	if u.Scheme == "https" || isLoopback(u.Hostname()) {
		return
	}
	if u.User != nil {
		d.warn(v.place, "%s: proxy is http:// beyond loopback and has a password, which goes in clear; use https://", s.what)
	}
	if to, err := url.Parse(string(w.URL)); err == nil && to.Scheme == "http" && isLoopback(to.Hostname()) {
		d.warn(v.place, "%s: proxy is beyond loopback and url is http://, so that mail goes in clear; use https://", s.what)
	}
}

func authorityOf(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// checkURL reads a webhook's URL: its captures, and whether it goes in clear beyond
// this host. why says what is wrong, in words that hold nothing of the URL.
func checkURL(s string) (captures []string, insecure bool, why string) {
	scheme, _, found := strings.Cut(s, "://")
	authority := authorityOf(s)
	switch {
	case !found || scheme != "http" && scheme != "https":
		return nil, false, "must begin with https:// or http://, in lower case"
	case strings.ContainsAny(authority, "{}"):
		return nil, false, "has a capture before its path; captures stand in path and query only, so that no sender chooses the server"
	case strings.Contains(s, "#"):
		return nil, false, "has a fragment, which is never sent; remove # and what follows, or write %23"
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return nil, false, "holds blanks or control characters; percent-encode them"
	}
	captures, plain, why := urlCaptures(s)
	if why != "" {
		return nil, false, why
	}
	u, err := url.Parse(plain)
	if err != nil || u.Hostname() == "" {
		return nil, false, "is not valid; it is written https://HOST[:PORT]/PATH"
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, false, "has a port that is none of 1 to 65535"
		}
	}
	return captures, scheme == "http" && !isLoopback(u.Hostname()), ""
}

// urlCaptures finds the captures, and returns the URL with an x for each.
func urlCaptures(s string) (captures []string, plain, why string) {
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(s, "{")
		if strings.Contains(text, "}") {
			return nil, "", "has a } without {; a literal one is %7D"
		}
		b.WriteString(text)
		if !found {
			return captures, b.String(), ""
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !isVariable(name) {
			return nil, "", "has a { that begins no capture; a capture is {name}, with letters, digits and _, and a literal { is %7B"
		}
		if !slices.Contains(captures, name) {
			captures = append(captures, name)
		}
		b.WriteString("x")
		s = after
	}
}
