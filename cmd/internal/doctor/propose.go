package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// nameFirst is the cure where the hostname is none that a record may name: records for it
// would break those that are right.
const nameFirst = "set hostname: mx.example.com in the configuration, the name that this machine has in the DNS, then run doctor again"

// fullName tells whether the whole DNS can know the hostname (RFC 6761, RFC 6762), so that
// records for it may be proposed.
func (d *doctor) fullName() bool {
	_, last, found := strings.Cut(d.Config.Hostname, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	return found && !slices.Contains([]string{"localhost", "localdomain", "local"}, last)
}

// mxRecord is the record by which mail of a domain comes to us.
func (d *doctor) mxRecord(domain string, preference uint16) string {
	return fmt.Sprintf("%s. 3600 IN MX %d %s.", domain, preference, d.Config.Hostname)
}

// maxHosts is how many hosts a proposed policy has; more were not written by hand.
const maxHosts = 30

// newPolicy is the policy of a domain that has none. It names all hosts of the MX records,
// for with enforce senders pass over the others.
func (d *doctor) newPolicy(hosts []exchanger) policy {
	var p policy
	return d.mended(p, hosts)
}

// mended is a policy with what it lacks. What it has stays: a host that only its owner
// knows of, and a mode that protects.
func (d *doctor) mended(p policy, hosts []exchanger) policy {
	p.mode = cmp.Or(p.mode, "testing")
	if p.maxAge <= 0 {
		p.maxAge = soonAge
	}
	p.mx = slices.Clone(p.mx)
	add := func(host string) {
		if !p.takes(host) {
			p.mx = append(p.mx, host)
		}
	}
	if d.public {
		add(d.Config.Hostname)
	}
	for _, h := range hosts {
		add(h.host)
	}
	return p
}

// fileToServe says where the file of a policy stands, and what is in it.
func (d *doctor) fileToServe(name string, p policy) string {
	if d.public && !d.fullName() {
		return nameFirst
	}
	var b strings.Builder
	fmt.Fprintf(&b, "serve at https://mta-sts.%s/.well-known/mta-sts.txt, as text/plain:\n  version: STSv1\n  mode: %s\n", name, p.mode)
	if len(p.mx) > maxHosts {
		fmt.Fprintf(&b, "  (its lines mx: stay as they are) mx: %s\n", d.Config.Hostname)
	} else {
		for _, host := range p.mx {
			fmt.Fprintf(&b, "  mx: %s\n", host)
		}
	}
	fmt.Fprintf(&b, "  max_age: %d", p.maxAge)
	return b.String()
}

// idToPublish is the TXT record of a policy with an id that it never had.
func (d *doctor) idToPublish(name string) string {
	return fmt.Sprintf("_mta-sts.%s. 3600 IN TXT \"v=STSv1; id=%s\"", name, d.Now().UTC().Format("20060102T150405"))
}

// hostToPublish is the address record of the policy's web server.
func hostToPublish(name string) string {
	return fmt.Sprintf("mta-sts.%s. 3600 IN A ADDRESS-OF-THAT-WEB-SERVER", name)
}

// firstPolicy is all that a domain without MTA-STS has to publish.
func (d *doctor) firstPolicy(name string, hosts []exchanger) string {
	if d.public && !d.fullName() {
		return nameFirst
	}
	return d.fileToServe(name, d.newPolicy(hosts)) +
		"\nand publish (a new id at every change of the file; when the reports show no failure: mode: enforce, max_age: 604800):\n  " +
		hostToPublish(name) + "\n  " + d.idToPublish(name)
}

// changedPolicy is a policy with what it lacks, and the record that tells senders of it.
func (d *doctor) changedPolicy(name string, p policy, hosts []exchanger) string {
	if d.public && !d.fullName() {
		return nameFirst
	}
	return d.fileToServe(name, d.mended(p, hosts)) + "\nand publish the new id:\n  " + d.idToPublish(name)
}
