package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"mxhook/verify/dns"
)

// maxPolicy is how long a policy may be (RFC 8461 3.2 lets senders read 64 KiB).
const maxPolicy = 64 << 10

// problem is why a policy can't be used.
type problem struct {
	found, fix string
	unknown    bool // nothing was learned
	noHost     bool // the policy's host has no good address
	noFile     bool // nothing that could be a policy was found
}

func (p *problem) Error() string { return p.found }

// fetch fetches the policy of a domain as a sender does (RFC 8461 3.3): over HTTPS with
// a certificate that is checked, without redirects and proxies, and finds the host by
// our resolver.
func (d *doctor) fetch(ctx context.Context, f *findings, name string) (body string, p *problem) {
	host := "mta-sts." + name
	addresses, p := d.policyAddresses(ctx, host)
	if p != nil {
		return "", p
	}
	transport := &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialAny(ctx, addresses)
		},
		TLSClientConfig:        &tls.Config{RootCAs: d.Roots, ServerName: host, MinVersion: tls.VersionTLS12, Time: d.Now},
		TLSHandshakeTimeout:    dialer.Timeout,
		ResponseHeaderTimeout:  dialer.Timeout,
		MaxResponseHeaderBytes: maxPolicy,
		DisableKeepAlives:      true,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return "", &problem{found: "the domain makes no URL", fix: "check the name"}
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		var unknown x509.UnknownAuthorityError
		if d.noRoots && errors.As(err, &unknown) {
			return "", &problem{found: errNoRoots.Error(), unknown: true}
		}
		return "", unfetched(host, err)
	}
	defer answer.Body.Close()
	d.note(host, answer.Header.Get("Date"))
	d.expiry(f, "mta_sts", host, answer.TLS.PeerCertificates[0])
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxPolicy+1))
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	url := "https://" + host + "/.well-known/mta-sts.txt"
	switch {
	case answer.StatusCode/100 == 3:
		return "", &problem{found: fmt.Sprintf("%s redirects (HTTP %d), and redirects are not followed (RFC 8461 3.3)", url, answer.StatusCode), fix: "serve the file at that URL itself"}
	case answer.StatusCode != http.StatusOK:
		return "", &problem{found: fmt.Sprintf("%s answers HTTP %d", url, answer.StatusCode), fix: "serve the file there", noFile: true}
	case err != nil:
		return "", &problem{found: url + ": the answer breaks off", unknown: true}
	case len(data) > maxPolicy:
		return "", &problem{found: fmt.Sprintf("%s is longer than %d octets", url, maxPolicy), fix: "serve the policy alone", noFile: true}
	case kind != "text/plain":
		return "", &problem{found: fmt.Sprintf("%s is of the type %s, not text/plain", url, quoted(answer.Header.Get("Content-Type"))), fix: "let the web server say Content-Type: text/plain"}
	}
	return string(data), nil
}

// policyAddresses finds where the policy's host is.
func (d *doctor) policyAddresses(ctx context.Context, host string) ([]string, *problem) {
	four, six, _, _ := d.addressesOf(ctx, host)
	all := slices.Concat(four.addrs, six.addrs)
	for _, a := range []answer{four, six} {
		if a.err != nil && !dns.IsNotFound(a.err) && len(all) == 0 {
			return nil, &problem{found: reason(a.err), unknown: true}
		}
	}
	if len(all) == 0 {
		return nil, &problem{found: host + " has no address", fix: "publish the address of the web server that has the policy", noHost: true, noFile: true}
	}
	for _, a := range all {
		if why := unreachable(a); why != "" {
			return nil, &problem{found: fmt.Sprintf("%s is at %s, which is %s", host, a, why), fix: "publish a public address", noHost: true}
		}
	}
	if d.PolicyAddress != "" {
		return []string{d.PolicyAddress}, nil
	}
	var addresses []string
	for _, a := range all {
		addresses = append(addresses, netip.AddrPortFrom(a, 443).String())
	}
	return addresses, nil
}

func dialAny(ctx context.Context, addresses []string) (conn net.Conn, err error) {
	for _, a := range addresses {
		if conn, err = dialer.DialContext(ctx, "tcp", a); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// unfetched words why there was no answer over HTTPS.
func unfetched(host string, err error) *problem {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		timeout  net.Error
		fixCerts = "get a certificate for " + host + " that is publicly trusted, and serve the whole chain"
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &problem{found: "the certificate of " + host + " has expired or is not yet valid", fix: "renew it"}
	case errors.As(err, &unknown):
		return &problem{found: "the certificate of " + host + " is signed by an authority that is not trusted, or the chain is not complete", fix: fixCerts}
	case errors.As(err, &name):
		return &problem{found: "the certificate of the web server is not for " + host, fix: fixCerts}
	case errors.As(err, &verify):
		return &problem{found: "the certificate of " + host + " is not valid", fix: fixCerts}
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return &problem{found: host + " does not answer in time", unknown: true}
	}
	return &problem{found: "no HTTPS connection to " + host + ": " + err.Error(), fix: "let a web server with a certificate for " + host + " answer at port 443"}
}

// note remembers what a server said of the time.
func (d *doctor) note(host, date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dates = append(d.dates, dated{host, d.Now(), at})
}

// expiry warns of a server's certificate that ends soon.
func (d *doctor) expiry(f *findings, name, host string, c *x509.Certificate) {
	if left := c.NotAfter.Sub(d.Now()); left < soonExpires {
		f.add(Warning, name, fmt.Sprintf("the certificate of %s ends on %s", host, c.NotAfter.UTC().Format(time.DateOnly)), "then nobody can fetch the policy", "renew it")
	}
}
