package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	mdns "github.com/miekg/dns"
)

// rounds is how often a server that does not answer is asked one question.
const rounds = 2

var errGaveWay = errors.New("gave way to others")

// resolve waits for its turn, asks the servers, and remembers the answer.
func (r *Caching) resolve(ctx context.Context, cancel context.CancelCauseFunc, q question) answer {
	slot := r.gate.enter(ctx, party(q.name), func() { cancel(errGaveWay) })
	if slot == nil {
		return answer{err: timedOut(q.name, "no turn among too many questions")}
	}
	defer r.gate.leave(slot)
	a, ttl := r.complete(ctx, q)
	if now := r.now(); ttl > 0 {
		a.expires, a.left = now.Add(ttl), ttl
		kept := a
		kept.trail = nil
		r.mu.Lock()
		r.cache.put(q, kept)
		r.mu.Unlock()
	}
	return a
}

// complete asks on where an answer holds only the beginning of an alias chain, as some
// forwarders' do.
func (r *Caching) complete(ctx context.Context, q question) (answer, time.Duration) {
	got := r.askAll(ctx, q)
	for n := 0; got.dangling; n++ {
		if n == maxAliases {
			got.err = temporary(q.name, "its aliases (CNAME) go in a circle, or are more than 8")
			return got.answer, 0
		}
		next := r.askAll(ctx, question{got.alias, q.qtype})
		if next.alias == "" {
			next.alias = got.alias
		}
		next.authentic = next.authentic && got.authentic
		next.ttl = min(next.ttl, got.ttl)
		next.wire += got.wire
		got = next
	}
	return got.answer, got.ttl
}

// askAll asks the servers in turn. Who didn't answer is asked again; who answered with
// an error is not.
func (r *Caching) askAll(ctx context.Context, q question) reading {
	servers := r.upstreams.order(r.now())
	var trail []string // one entry for each failure
	silent, broken := false, false
	for range rounds {
		var again []*upstream
		for _, s := range servers {
			got, failure := r.askOne(ctx, s, q)
			if failure == nil {
				if !broken {
					r.upstreams.answered(s, r.now())
				}
				got.trail = trail
				return got
			}
			if text := failure.text; !slices.Contains(trail, text) {
				trail = append(trail, text)
			}
			silent = silent || failure.silent
			// A domain that is broken everywhere must not decide whom we ask.
			broken = broken || failure.broken
			if failure.silent {
				again = append(again, s)
			}
			if ctx.Err() != nil {
				again = nil
				break
			}
		}
		if servers = again; len(servers) == 0 {
			break
		}
	}
	text := strings.Join(trail, ", ")
	if context.Cause(ctx) == errGaveWay {
		text = "given up, since it took long and others waited: " + text
	}
	if silent {
		return reading{answer: answer{err: timedOut(q.name, text)}}
	}
	return reading{answer: answer{err: temporary(q.name, text)}}
}

// failure is why a server gave no answer.
type failure struct {
	text   string // for an operator
	silent bool   // it said nothing, and may answer if asked again
	broken bool   // it works, and says that it can't find the answer
}

// askOne asks one server.
func (r *Caching) askOne(ctx context.Context, s *upstream, q question) (reading, *failure) {
	begin := time.Now()
	m, err := r.exchange(ctx, s, q)
	if err != nil {
		return reading{}, r.because(s, err, time.Since(begin))
	}
	if m.Rcode != mdns.RcodeSuccess && m.Rcode != mdns.RcodeNameError {
		code, ok := mdns.RcodeToString[m.Rcode]
		if !ok {
			code = fmt.Sprintf("response code %d", m.Rcode)
		}
		return reading{}, &failure{
			text: fmt.Sprintf("%s by %s%s", code, s.addr, extended(m)), broken: m.Rcode == mdns.RcodeServerFailure,
		}
	}
	got := read(m, q)
	if got.fault != "" {
		return reading{}, &failure{text: fmt.Sprintf("no answer in what %s says: %s", s.addr, got.fault), broken: true}
	}
	got.authentic = got.authentic && s.trusted
	return got, nil
}

// extended tells what a server adds to its response code (RFC 8914).
func extended(m *mdns.Msg) string {
	opt := m.IsEdns0()
	if opt == nil {
		return ""
	}
	for _, o := range opt.Option {
		if e, ok := o.(*mdns.EDNS0_EDE); ok {
			text, known := mdns.ExtendedErrorCodeToString[e.InfoCode]
			if !known {
				text = fmt.Sprintf("extended error %d", e.InfoCode)
			}
			if e.ExtraText != "" {
				text += ": " + e.ExtraText[:min(len(e.ExtraText), maxShown)]
			}
			return " (" + text + ")"
		}
	}
	return ""
}
