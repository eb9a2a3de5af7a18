package message

import (
	"slices"
	"strings"
)

// noticeReader finds recipients in the text of a notification, and for each the
// lines that say what happened to it.
type noticeReader struct {
	max    int
	found  []noticed
	prefix []string // lines before the first recipient
}

type noticed struct {
	address string
	lines   []string
	size    int
}

// diagnosticSize bounds what is kept of the lines about one recipient.
const diagnosticSize = 4 << 10

// recipientLeads stand before an address on its line.
var recipientLeads = []string{
	"deliver message to", "delivered to", "final delivery userid", "attempts", "permanent errors", "rejected recipient",
	"delivering your mail to", "recipient:", "delivery to", "delivered to the following", ">>> rcpt to", "<<< rcpt to", "in:  rcpt to", "message to", "unknown user",
}

// noticeEnds begin lines that no longer speak about the recipient before them.
var noticeEnds = []string{
	"no action is required", "this has been a permanent failure", "for further assistance", "smtp command", "please note that",
	"giving up on", "you do not need to", "the attachment contains",
}

func (n *noticeReader) read(text string) {
	for line := range strings.Lines(text) {
		t := strings.TrimSpace(line)
		low := strings.ToLower(t)
		if addr, rest, ok := recipientLine(t, low); ok && n.begin(addr) {
			if rest != "" {
				n.add(rest)
			}
			continue
		}
		if len(t) > 0 && containsPrefix(strings.TrimLeft(low, "-=* "), noticeEnds) {
			t = ""
		}
		n.add(t)
	}
}

func containsPrefix(s string, list []string) bool {
	for _, x := range list {
		if strings.HasPrefix(s, x) {
			return true
		}
	}
	return false
}

// begin starts the lines of a recipient; false if they have begun already or there
// are too many.
func (n *noticeReader) begin(addr string) bool {
	if k := len(n.found); k > 0 && strings.EqualFold(n.found[k-1].address, addr) || k >= n.max {
		return false
	}
	n.found = append(n.found, noticed{address: addr})
	return true
}

func (n *noticeReader) add(t string) {
	if len(n.found) == 0 {
		if len(n.prefix) < 200 {
			n.prefix = append(n.prefix, t)
		}
		return
	}
	r := &n.found[len(n.found)-1]
	if r.size += len(t) + 1; r.size <= diagnosticSize {
		r.lines = append(r.lines, t)
	}
}

// failedRecipients takes those of X-Failed-Recipients when the text names none.
func (n *noticeReader) failedRecipients(p *parser) {
	v, ok := p.first("X-Failed-Recipients")
	if !ok || len(n.found) > 0 {
		return
	}
	for _, a := range strings.Split(v, ",") {
		if a = strings.Trim(a, " \t<>"); isAddress(a) && len(n.found) < n.max {
			n.found = append(n.found, noticed{address: neutral(a)})
		}
	}
	for i := range n.found {
		for _, t := range n.prefix {
			if n.found[i].size += len(t) + 1; n.found[i].size <= diagnosticSize {
				n.found[i].lines = append(n.found[i].lines, t)
			}
		}
	}
}

// result makes recipients of what was found. One that stands there without a word
// shares the reason of the next one. A repeat adds what the first lacks.
func (n *noticeReader) result(notice string) []BounceRecipient {
	delayed := containsAny(notice, []string{"not yet been delivered", "is delayed for", "has been delayed", "warning message only", "temporary failure report"})
	out := make([]BounceRecipient, 0, len(n.found))
	index := make(map[string]int, len(n.found))
	var next BounceRecipient
	for i := len(n.found) - 1; i >= 0; i-- {
		r := n.found[i].describe()
		if r.Diagnostic == "" {
			r.Diagnostic, r.Reply, r.Status, r.RemoteMTA = next.Diagnostic, next.Reply, next.Status, next.RemoteMTA
		}
		r.Action = "failed"
		if delayed {
			r.Action = "delayed"
		}
		next = r
		out = append(out, r)
	}
	slices.Reverse(out) // into the order of the text
	kept := out[:0]
	for _, r := range out {
		key := strings.ToLower(r.Address)
		if at, ok := index[key]; ok {
			if first := &kept[at]; first.Reply == "" && first.Status == "" && (r.Reply != "" || r.Status != "" || first.Diagnostic == "") {
				*first = r
			}
			continue
		}
		index[key] = len(kept)
		kept = append(kept, r)
	}
	return kept
}

// describe reads the lines about a recipient: the diagnostic is the first paragraph
// that quotes a code, else the first of all.
func (r *noticed) describe() BounceRecipient {
	out := BounceRecipient{Address: neutral(r.address)}
	var chosen, paragraph []string
	done := false
	end := func() {
		if done || len(paragraph) == 0 {
			paragraph = nil
			return
		}
		reply, status, _ := findReply(strings.Join(paragraph, "\n"))
		if chosen == nil || reply != "" || status != "" {
			chosen = paragraph
			out.Reply, out.Status = reply, status
			done = reply != "" || status != ""
		}
		paragraph = nil
	}
	for _, t := range r.lines {
		if strings.Trim(t, "-=*_ ") == "" || strings.HasPrefix(t, "---") {
			end()
			continue
		}
		paragraph = append(paragraph, t)
	}
	end()
	out.Diagnostic = neutral(strings.Join(chosen, " "))
	out.RemoteMTA = remoteHost(out.Diagnostic)
	return out
}

// remoteHost finds the name after "host", as Exim and Postfix write it.
func remoteHost(s string) string {
	for rest := s; ; {
		i := strings.Index(rest, "host")
		if i < 0 {
			return ""
		}
		name, ok := strings.CutPrefix(strings.TrimPrefix(rest[i+4:], ":"), " ")
		ok = ok && (i == 0 || rest[i-1] == ' ')
		rest = rest[i+4:]
		if k := strings.IndexAny(name, " [(:;,"); ok && k > 0 && strings.Contains(name[:k], ".") {
			return name[:k]
		}
	}
}
