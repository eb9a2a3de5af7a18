package config

import (
	"crypto/tls"
	"errors"
	"os"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// listenerTLS reads a listener's tls: one mapping, or a list of them for several
// certificates, of which the first that suits a client is used.
func (d *decoder) listenerTLS(listener *section) TLS {
	const what = "listener: tls: "
	var t TLS
	var pairs []keyPair
	hasMode, hasCert, faulty := false, false, false
	all := d.tlsSections(listener)
	for _, s := range all {
		d.once(&t.Mode, s, "mode")
		d.once(&t.MinVersion, s, "min_version")
		hasMode = hasMode || s.has("mode")
		hasCert = hasCert || s.has("cert_file")
		more, ok := d.keyPairs(s, what)
		faulty = faulty || !ok
		pairs = append(pairs, more...)
	}
	if t.MinVersion == "" {
		k, _ := find("listeners[].tls", "min_version")
		t.MinVersion = k.byDefault
	}
	if t.Mode == "" && !hasMode {
		t.Mode = "none"
		if hasCert {
			t.Mode = "starttls"
		}
	}
	switch {
	case t.Mode == "" || len(all) == 0:
	case faulty:
		d.fault(all[0].place, what+"cert_file and key_file belong together; add the other")
	case t.Mode == "none" && hasCert && hasMode:
		d.fault(all[0].at("mode"), what+"mode none contradicts cert_file; use starttls, or remove the files")
	case t.Mode != "none" && !hasCert:
		d.fault(all[0].at("mode"), what+"mode %s needs cert_file and key_file", t.Mode)
	case t.Mode == "none" && listener.text("kind") == "mx":
		d.warn(listener.place, "listener: an mx without TLS takes mail in clear; add tls: {cert_file: cert.pem, key_file: key.pem}")
	default:
		for _, p := range pairs {
			d.checkPair(what, p.cert, p.key)
			t.Certificates = append(t.Certificates, KeyPair{p.cert.text, p.key.text})
		}
	}
	return t
}

// once takes the value of a key that all certificates of a listener share.
func (d *decoder) once(to *string, s *section, name string) {
	v, ok := s.single[name]
	switch {
	case !ok:
	case *to != "" && *to != v.text:
		d.fault(v.place, "%s contradicts that of another certificate; a listener has one", s.key(name))
	default:
		*to = v.text
	}
}

func (d *decoder) tlsSections(listener *section) []*section {
	if _, isList := listener.values["tls"].(*ast.SequenceNode); !isList {
		return []*section{d.sub(listener, "tls")}
	}
	var all []*section
	for _, n := range d.elements(listener, "tls") {
		if s, ok := d.section(n, "listeners[].tls", "listener: tls"); ok {
			all = append(all, s)
		}
	}
	return all
}

// keyPair is a certificate's file and its key's.
type keyPair struct{ cert, key scalar }

// keyPairs returns the certificates of a section with their keys; false when there are
// more of the one than of the other.
func (d *decoder) keyPairs(s *section, what string) (all []keyPair, ok bool) {
	certs, keys := s.texts("cert_file"), s.texts("key_file")
	if len(certs) != len(keys) {
		return nil, false
	}
	for i := range certs {
		for _, v := range []scalar{certs[i], keys[i]} {
			if v.ok && (v.text == "" || strings.ContainsRune(v.text, 0)) {
				d.fault(v.place, "%scert_file and key_file must name a path", what)
			}
		}
		all = append(all, keyPair{certs[i], keys[i]})
	}
	return all, true
}

// checkPair reads a certificate and its key as they will be read when serving.
func (d *decoder) checkPair(what string, cert, key scalar) {
	if !cert.ok || !key.ok || cert.text == "" || key.text == "" {
		return
	}
	if _, err := readFile(cert.text, maxPEM); err != nil {
		d.fault(cert.place, "%scert_file %s: %v", what, quote(cert.raw), err)
		return
	}
	if _, err := readFile(key.text, maxPEM); err != nil {
		d.fault(key.place, "%skey_file %s: %v", what, quote(key.raw), err)
		return
	}
	_, err := tls.LoadX509KeyPair(cert.text, key.text)
	var pe *os.PathError
	switch {
	case err == nil:
	case errors.As(err, &pe):
		d.fault(cert.place, "%sthe files can't be read", what)
	default:
		// The text comes from crypto/tls or crypto/x509 and names kinds of PEM
		// blocks and of keys, never their content.
		d.fault(cert.place, "%scert_file and key_file are no certificate with its key: %s", what, strings.TrimPrefix(err.Error(), "tls: "))
	}
}
