package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"mxhook/cmd/internal/worker"
	"mxhook/cmd/internal/worker/workertest"
	"mxhook/inbound/status"
)

// plant is a worker with its queue, and what was told.
type plant struct {
	*worker.Worker
	queue *workertest.Queue
	log   workertest.Log

	mu      sync.Mutex
	results []string
	bodies  []string // in the order in which their delivery began
	times   []time.Time
	busy    int
	most    int // at once
	failed  int
}

func (p *plant) SourceMessage(_, outcome string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.results = append(p.results, outcome)
}

func (p *plant) SourceFailed(string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed++
}

func (p *plant) SourceBusy(_ string, change int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy += change
}

// count returns how many messages had a result.
func (p *plant) count(result worker.Result) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.results {
		if r == string(result) {
			n++
		}
	}
	return n
}

// at returns when deliveries began.
func (p *plant) at() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.times)
}

func (p *plant) failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *plant) begun() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.bodies)
}

// start makes a worker; handle may be nil, and then every message is accepted.
func start(handle worker.Handler, q *workertest.Queue, change func(*worker.Config)) *plant {
	p := &plant{queue: q}
	c := worker.Config{Source: "jobs", Queue: q, Wait: 20 * time.Second, Log: slog.New(slog.NewTextHandler(&p.log, nil)), Metrics: p}
	running := 0
	c.Handle = func(ctx context.Context, m worker.Message) worker.Outcome {
		p.mu.Lock()
		p.bodies, p.times = append(p.bodies, m.Body), append(p.times, time.Now())
		running++
		p.most = max(p.most, running)
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			running--
			p.mu.Unlock()
		}()
		if handle == nil {
			return worker.Outcome{Result: worker.Accepted}
		}
		return handle(ctx, m)
	}
	if change != nil {
		change(&c)
	}
	p.Worker = worker.New(c)
	p.Start()
	return p
}

func (p *plant) end(t *testing.T) {
	t.Helper()
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy != 0 {
		t.Errorf("%d messages are busy after the end", p.busy)
	}
}

func messages(n int) (list []worker.Message) {
	for i := range n {
		list = append(list, worker.Message{Body: fmt.Sprint(i)})
	}
	return list
}

func later() worker.Outcome {
	return worker.Outcome{Result: worker.Temporary, Err: status.SinkUnavailable.Wrap("sink", nil), Detail: "HTTP 503"}
}
