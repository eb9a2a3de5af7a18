package record

import (
	"time"

	"mxhook/verify"
	"mxhook/verify/authres"
)

// Results are those of package verify with the payload's words.
type (
	Results struct {
		SPF                spf    `json:"spf"`
		SPFHelo            spf    `json:"spf_helo"`
		DKIM               []dkim `json:"dkim"`
		DMARC              dmarc  `json:"dmarc"`
		ARC                arc    `json:"arc"`
		IPRev              iprev  `json:"iprev"`
		HELO               helo   `json:"helo"`
		FromVerified       bool   `json:"from_verified"`
		FromVerifiedBy     string `json:"from_verified_by"`
		FromVerifiedReason string `json:"from_verified_reason,omitempty"`
		Header             string `json:"header"`
		ReceivedSPF        string `json:"received_spf"`
	}
	spf struct {
		Result      authres.Result `json:"result"`
		Domain      string         `json:"domain"`
		Reason      string         `json:"reason"`
		Mechanism   string         `json:"mechanism,omitempty"`
		Explanation string         `json:"explanation,omitempty"`
		DNSSEC      bool           `json:"dnssec,omitempty"`
	}
	dkim struct {
		Result     authres.Result `json:"result"`
		Domain     string         `json:"domain"`
		Selector   string         `json:"selector"`
		Algorithm  string         `json:"algorithm"`
		Aligned    bool           `json:"aligned"`
		Reason     string         `json:"reason"`
		Identity   string         `json:"identity,omitempty"`
		KeyBits    int            `json:"key_bits,omitempty"`
		Oversigned []string       `json:"oversigned,omitempty"`
		Unsigned   int64          `json:"unsigned,omitempty"`
		Testing    bool           `json:"testing,omitempty"`
		Signed     time.Time      `json:"signed,omitzero"`
		Expires    time.Time      `json:"expires,omitzero"`
		DNSSEC     bool           `json:"dnssec,omitempty"`
	}
	dmarc struct {
		Result               authres.Result `json:"result"`
		Domain               string         `json:"domain"`
		PolicyDomain         string         `json:"policy_domain"`
		OrganizationalDomain string         `json:"organizational_domain"`
		Policy               string         `json:"policy"`
		Disposition          string         `json:"disposition"`
		SPFAligned           bool           `json:"spf_aligned"`
		DKIMAligned          bool           `json:"dkim_aligned"`
		Reason               string         `json:"reason"`
		AggregateReports     []string       `json:"aggregate_reports,omitempty"`
		FailureReports       []string       `json:"failure_reports,omitempty"`
		Testing              bool           `json:"testing,omitempty"`
		DNSSEC               bool           `json:"dnssec,omitempty"`
	}
	helo struct {
		Result authres.Result `json:"result"`
		Name   string         `json:"name"`
		Reason string         `json:"reason"`
	}
	arc struct {
		Result      authres.Result `json:"result"`
		ChainLength int            `json:"chain_length"`
		Sealers     []string       `json:"sealers"`
		Trusted     bool           `json:"trusted"`
		Reason      string         `json:"reason"`
	}
	iprev struct {
		Result authres.Result `json:"result"`
		Name   string         `json:"name"`
		Reason string         `json:"reason,omitempty"`
	}
)

func newResults(r *verify.Results) *Results {
	if r == nil {
		return nil
	}
	out := &Results{SPF: spf(r.SPF), SPFHelo: spf(r.SPFHelo), DMARC: dmarc(r.DMARC), ARC: arc(r.ARC), IPRev: iprev(r.IPRev), HELO: helo(r.HELO),
		FromVerified: r.FromVerified, FromVerifiedBy: r.FromVerifiedBy, FromVerifiedReason: r.FromVerifiedReason, Header: r.Header, ReceivedSPF: r.ReceivedSPF}
	for _, d := range r.DKIM {
		out.DKIM = append(out.DKIM, dkim(d))
	}
	return out
}

func (r *Results) restore() *verify.Results {
	if r == nil {
		return nil
	}
	out := &verify.Results{SPF: verify.SPF(r.SPF), SPFHelo: verify.SPF(r.SPFHelo), DMARC: verify.DMARC(r.DMARC), ARC: verify.ARC(r.ARC),
		IPRev: verify.IPRev(r.IPRev), HELO: verify.HELO(r.HELO),
		FromVerified: r.FromVerified, FromVerifiedBy: r.FromVerifiedBy, FromVerifiedReason: r.FromVerifiedReason, Header: r.Header, ReceivedSPF: r.ReceivedSPF}
	for _, d := range r.DKIM {
		out.DKIM = append(out.DKIM, verify.DKIM(d))
	}
	return out
}
