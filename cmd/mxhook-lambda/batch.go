package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/events"

	"mxhook/cmd/internal/worker"
)

// atOnce is how many messages of a batch are delivered at the same time.
const atOnce = 10

// batch delivers the messages of SQS and answers which of them must come again. Those of
// one group of a FIFO queue go one after the other, and none after one that failed.
// Messages for which no time is left fail without a try.
func (h *handler) batch(ctx context.Context, records []json.RawMessage) ([]byte, error) {
	all := make([]events.SQSMessage, len(records))
	for i, r := range records {
		// A message without its id can't be named in the answer.
		if err := json.Unmarshal(r, &all[i]); err != nil || all[i].MessageId == "" || all[i].EventSource != fromSQS {
			return nil, fmt.Errorf("a record of SQS that is none: %w", errMalformed)
		}
	}
	failed := make([]bool, len(all))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for _, g := range groups(all) {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			broken := false
			for _, i := range g {
				broken = broken || !h.message(ctx, all[i])
				failed[i] = broken
			}
		})
	}
	wg.Wait()
	answer := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, f := range failed {
		if f {
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: all[i].MessageId})
		}
	}
	return json.Marshal(answer)
}

// groups returns the messages' numbers, those together that must keep their order.
func groups(all []events.SQSMessage) (list [][]int) {
	known := map[string]int{}
	for i, m := range all {
		group := m.Attributes["MessageGroupId"]
		if group == "" || !strings.HasSuffix(m.EventSourceARN, ".fifo") { // elsewhere it keeps no order
			list = append(list, []int{i})
			continue
		}
		if at, ok := known[group]; ok {
			list[at] = append(list[at], i)
			continue
		}
		known[group] = len(list)
		list = append(list, []int{i})
	}
	return list
}

// message delivers one message and tells whether it is done with.
func (h *handler) message(ctx context.Context, m events.SQSMessage) (done bool) {
	log := h.log.With("message", m.MessageId, "receives", m.Attributes["ApproximateReceiveCount"])
	defer func() {
		if p := recover(); p != nil { // its value may hold anything
			log.Error("a message made us panic", "panic", fmt.Sprintf("%T", p))
			done = false
		}
	}()
	if ctx.Err() != nil {
		log.Warn("no time is left for this message, it comes again")
		return false
	}
	if _, ok := m.MessageAttributes[worker.AttributeEvent]; !ok {
		if err := h.notice(ctx, []byte(m.Body)); err != nil {
			log.Warn("message not taken, it comes again", "error", err)
			return false
		}
		return true
	}
	return h.event(ctx, m)
}

// event delivers an event of a queue.
func (h *handler) event(ctx context.Context, m events.SQSMessage) bool {
	log := h.log.With("message", m.MessageId, "receives", m.Attributes["ApproximateReceiveCount"])
	source, err := h.sourceFor(m.EventSourceARN)
	if err != nil {
		log.Error("message not taken, it comes again", "error", err)
		return false
	}
	o := h.queued.HandleQueued(ctx, source, messageOf(m))
	log = log.With("source", source, "event", o.Event, "result", string(o.Result))
	switch o.Result {
	case worker.Accepted:
		log.Info("queued event delivered")
		return true
	case worker.Refused, worker.Poison:
		return h.bury(ctx, log.With("detail", o.Detail), m)
	}
	log.Warn("queued event not delivered, it comes again", "detail", o.Detail)
	return false
}

// bury puts what no other try will deliver into the dead-letter queue: a dead event of
// ours would end with the Lambda. Where there is none, or it takes nothing, the message
// comes again until the queue's own tries are over.
func (h *handler) bury(ctx context.Context, log *slog.Logger, m events.SQSMessage) bool {
	if h.dead == nil {
		log.Warn("queued event will not be delivered by any try, it comes again until the queue ends it; set " + envDeadQueue)
		return false
	}
	if err := h.dead.put(ctx, m); err != nil {
		log.Error("queued event will not be delivered by any try, and comes again", "error", err)
		return false
	}
	log.Warn("queued event put into the dead-letter queue: no try will deliver it")
	return true
}

// messageOf is a message as the worker knows it.
func messageOf(m events.SQSMessage) worker.Message {
	out := worker.Message{
		ID: m.MessageId, Handle: m.ReceiptHandle, Group: m.Attributes["MessageGroupId"], Body: m.Body, Attributes: map[string]string{},
	}
	out.Receives, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	for name, a := range m.MessageAttributes {
		if a.StringValue != nil {
			out.Attributes[name] = *a.StringValue
		}
	}
	return out
}

var errNoSource = errors.New("no source of the configuration has this queue; add it to sources, or take it from the function's event sources")

// sourceFor finds the source of a queue by the end of its URL, /ACCOUNT/NAME.
func (h *handler) sourceFor(arn string) (name string, err error) {
	parts := strings.Split(arn, ":") // arn:aws:sqs:REGION:ACCOUNT:NAME
	if len(parts) != 6 {
		return "", errNoSource
	}
	for _, s := range h.sources {
		if strings.HasSuffix(s.QueueURL, "/"+parts[4]+"/"+parts[5]) {
			return s.Name, nil
		}
	}
	return "", errNoSource
}
