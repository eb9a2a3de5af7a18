package message

import (
	"bytes"
	"strings"
)

// security tells whether the message, or a part of it, is signed or encrypted: by
// its content types (RFC 1847, RFC 3156, RFC 8551), by the type that a CMS object
// names for itself, or by the armor of PGP within the text. Nothing is verified.
func (p *parser) security(root *part) Security {
	s := Security{Signed: "none", Encrypted: "none"}
	p.lookForSecurity(&s, root)
	if !p.msg.TextFromHTML {
		armor(&s, p.msg.Text)
	}
	return s
}

func (p *parser) lookForSecurity(s *Security, pt *part) {
	switch pt.declared {
	case "multipart/signed":
		if kind := signature(pt); kind != "" {
			s.Signed = kind
		}
	case "multipart/encrypted":
		s.Encrypted = "pgp"
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		p.cms(s, pt)
	case "application/octet-stream":
		// RFC 8551 3.2.1: the name tells where the type does not.
		if name := strings.ToLower(p.filename(pt)); name == "smime.p7m" {
			p.cms(s, pt)
		}
	}
	for _, k := range pt.kids {
		p.lookForSecurity(s, k)
	}
}

// signature says of which kind a multipart/signed is: by its protocol, or by the
// signature that it holds.
func signature(pt *part) string {
	protocol := strings.ToLower(pt.params.get("protocol"))
	switch {
	case strings.Contains(protocol, "pgp"):
		return "pgp"
	case strings.Contains(protocol, "pkcs7"):
		return "smime"
	case hasKid(pt, "application/pgp-signature"):
		return "pgp"
	case hasKid(pt, "application/pkcs7-signature") || hasKid(pt, "application/x-pkcs7-signature"):
		return "smime"
	}
	return ""
}

// The object identifiers of RFC 5652 as they are encoded.
var (
	oidSignedData    = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")
	oidEnvelopedData = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03")
)

// cms reads what an application/pkcs7-mime holds: from its smime-type, else from
// the beginning of the object; what does not tell is taken as encrypted.
func (p *parser) cms(s *Security, pt *part) {
	switch strings.ToLower(pt.params.get("smime-type")) {
	case "signed-data":
		s.Signed = "smime"
		return
	case "certs-only", "compressed-data":
		return
	case "":
		b, _ := p.partBytes(pt, 64)
		if bytes.Contains(b, oidSignedData) && !bytes.Contains(b, oidEnvelopedData) {
			s.Signed = "smime"
			return
		}
	}
	s.Encrypted = "smime"
}

// armor looks for PGP within the text (RFC 9580 6.2, 7) on lines of its own; what is
// quoted or indented does not count.
func armor(s *Security, text string) {
	const begin = "-----BEGIN PGP "
	for at := 0; ; {
		i := strings.Index(text[at:], begin)
		if i < 0 {
			return
		}
		i += at
		at = i + len(begin)
		if i > 0 && text[i-1] != '\n' {
			continue
		}
		line, _, _ := strings.Cut(text[at:min(len(text), at+40)], "\n")
		switch strings.TrimRight(line, " \t\r") {
		case "MESSAGE-----":
			s.Encrypted = "pgp"
		case "SIGNED MESSAGE-----":
			s.Signed = "pgp"
		}
	}
}

func hasKid(p *part, media string) bool {
	for _, k := range p.kids {
		if k.media == media {
			return true
		}
	}
	return false
}
