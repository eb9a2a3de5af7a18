package bridge

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"mxhook/cmd/internal/config"
	"mxhook/inbound/status"
	"mxhook/routing"
	"mxhook/sinks/webhook"
)

// acceptance is the `accept` of one route.
type acceptance struct {
	*questions
	cache time.Duration
}

// acceptors are the URLs that are asked at RCPT, those of all configurations that this
// bridge has: over a reload the answers of a URL stay, as long as its secrets do.
type acceptors struct {
	mu    sync.Mutex
	known map[acceptorKey]*acceptor
}

// acceptorKey is a digest of a URL and its secrets.
type acceptorKey [sha256.Size]byte

type acceptor struct {
	questions *questions
	asker     *webhook.Asker
}

func keyOfAccept(c config.Accept) acceptorKey {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(c.URL), string(c.URL))
	for _, s := range c.Secrets {
		fmt.Fprintf(h, " %d %s", len(s), string(s))
	}
	return acceptorKey(h.Sum(nil))
}

// buildAccepts makes the acceptances of a configuration, by route.
func (b *Bridge) buildAccepts(c *config.Config) (map[string]acceptance, error) {
	b.acceptors.mu.Lock()
	defer b.acceptors.mu.Unlock()
	accepts := map[string]acceptance{}
	for route, ac := range c.Accepts {
		key := keyOfAccept(ac)
		a := b.acceptors.known[key]
		if a == nil {
			ask := webhook.AskerConfig{URL: string(ac.URL), Concurrency: questionSlots, Version: b.options.Version, Log: b.log}
			for _, s := range ac.Secrets {
				secret, err := webhook.ParseSecret(string(s))
				if err != nil {
					return nil, fmt.Errorf("route %q: accept: secret: %w", route, err)
				}
				ask.Secrets = append(ask.Secrets, secret)
			}
			asker, err := webhook.NewAsker(ask)
			if err != nil {
				return nil, fmt.Errorf("route %q: accept: %w", route, err)
			}
			a = &acceptor{newQuestions(asker.Ask), asker}
			b.acceptors.known[key] = a
		}
		accepts[route] = acceptance{a.questions, ac.Cache}
	}
	return accepts, nil
}

// keepAccepts forgets the URLs that a configuration doesn't have, nil all. Who is
// asking one still gets its answer.
func (b *Bridge) keepAccepts(c *config.Config) {
	wanted := map[acceptorKey]bool{}
	if c != nil {
		for _, ac := range c.Accepts {
			wanted[keyOfAccept(ac)] = true
		}
	}
	b.acceptors.mu.Lock()
	defer b.acceptors.mu.Unlock()
	for key, a := range b.acceptors.known {
		if !wanted[key] {
			a.asker.Close()
			delete(b.acceptors.known, key)
		}
	}
}

// accepted asks the URLs of the routes that may take a recipient, all at once, and
// returns the decision with those that are left. A no takes its route out; where none is
// left the recipient is unknown. A question without an answer defers the recipient,
// whatever the others say, since nobody could make up for the route that is missed.
//
// Postmaster is accepted without a question (RFC 5321 4.5.1).
func (t *transaction) accepted(ctx context.Context, d routing.Decision) routing.Decision {
	if isPostmaster(d.Candidates[0].Path) {
		return d
	}
	answers := make([]error, len(d.Candidates))
	var asking sync.WaitGroup
	for i, m := range d.Candidates {
		if m.Rule.Asks {
			asking.Go(func() { answers[i] = t.ask(ctx, m) })
		}
	}
	asking.Wait()
	var refusal error
	for _, err := range answers {
		switch {
		case err == nil:
		case status.ClassOf(err) != status.Permanent:
			d.Err = err
			return d
		case refusal == nil:
			refusal = err
		}
	}
	return d.Without(func(i int) bool { return answers[i] != nil }, refusal)
}

// ask asks the URL of one route.
func (t *transaction) ask(ctx context.Context, m routing.Match) error {
	q := webhook.Question{
		Recipient: m.Path.String(), ReversePath: t.mail.ReversePath.String(), HELO: t.session.HELO, Route: m.Rule.Name,
	}
	if t.session.RemoteIP.IsValid() {
		q.RemoteIP = t.session.RemoteIP.String()
	}
	a := t.parts.accepts[m.Rule.Name]
	err := a.answer(ctx, q, a.cache)
	if status.ClassOf(err) == status.Temporary {
		t.log.Warn("accept has no answer", "route", m.Rule.Name, "recipient", q.Recipient, "error", err)
	}
	return err
}
