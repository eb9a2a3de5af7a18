package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mxhook/cmd/internal/worker"
	"mxhook/cmd/internal/worker/workertest"
	"mxhook/inbound/status"
)

func TestWhatIsAcceptedOrRefusedForGoodIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(func(_ context.Context, m worker.Message) worker.Outcome {
			if m.Body < "5" {
				return worker.Outcome{Result: worker.Refused}
			}
			return worker.Outcome{Result: worker.Accepted}
		}, &workertest.Queue{Most: 3}, nil)
		p.queue.Send(messages(100)...)
		synctest.Wait()
		if p.queue.Len() != 0 || p.count(worker.Refused) != 45 || p.count(worker.Accepted) != 55 {
			t.Errorf("%d are left, %d refused, %d accepted", p.queue.Len(), p.count(worker.Refused), p.count(worker.Accepted))
		}
		p.end(t)
	})
}

func TestNoMoreAtOnceThanItIsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(func(context.Context, worker.Message) worker.Outcome {
			time.Sleep(time.Second)
			return worker.Outcome{Result: worker.Accepted}
		}, &workertest.Queue{}, func(c *worker.Config) { c.Workers = 13 })
		p.queue.Send(messages(130)...)
		began := time.Now()
		for p.queue.Len() > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		if p.most != 13 || time.Since(began) > 11*time.Second {
			t.Errorf("%d at once, in %v", p.most, time.Since(began))
		}
		p.end(t)
	})
}

func TestAMessageStaysHiddenWhileItIsBeingDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(func(context.Context, worker.Message) worker.Outcome {
			time.Sleep(10 * time.Minute)
			return worker.Outcome{Result: worker.Accepted}
		}, &workertest.Queue{Hidden: 12 * time.Second}, nil)
		p.queue.Send(messages(1)...)
		time.Sleep(11 * time.Minute)
		if n := p.queue.Receives(); n != 1 || p.queue.Len() != 0 {
			t.Errorf("received %d times, %d are left", n, p.queue.Len())
		}
		p.end(t)
	})
}

func TestATooShortVisibilityTimeoutIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(func(context.Context, worker.Message) worker.Outcome {
			time.Sleep(50 * time.Second)
			return worker.Outcome{Result: worker.Accepted}
		}, &workertest.Queue{Hidden: time.Second}, nil)
		p.queue.Send(messages(1)...)
		time.Sleep(2 * time.Minute)
		p.queue.Locked(func() {
			if len(p.queue.Hides) != 3 || p.queue.Hides[0].D != 30*time.Second { // at 15, 30 and 45 s
				t.Errorf("%v", p.queue.Hides)
			}
		})
		p.end(t)
	})
}

func TestADeferredMessageWaitsLongerEachTimeAndAsLongAsTheSinkAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var after atomic.Int64
		p := start(func(context.Context, worker.Message) worker.Outcome {
			o := later()
			o.After = time.Duration(after.Load())
			return o
		}, &workertest.Queue{}, nil)
		p.queue.Send(messages(1)...)
		time.Sleep(12 * time.Hour)
		times := p.at()
		most := 2 * time.Second
		for i := 1; i < len(times); i++ {
			if d := times[i].Sub(times[i-1]); d > most+time.Second || d < most/2-time.Second {
				t.Errorf("receipt %d comes %v after the one before, want %v to %v", i+1, d, most/2, most)
			}
			most = min(2*most, time.Hour)
		}
		after.Store(int64(40 * time.Minute))
		synctest.Wait()
		n := len(p.at())
		time.Sleep(time.Hour)
		after.Store(int64(5 * time.Hour))
		time.Sleep(3 * time.Hour)
		if more := len(p.at()) - n; more < 2 || more > 5 { // an hour is the most, whatever the sink says
			t.Errorf("%d receipts in four hours", more)
		}
		p.end(t)
	})
}

func TestPoisonIsNeverDeletedAndNeverSpins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(func(context.Context, worker.Message) worker.Outcome {
			return worker.Outcome{Result: worker.Poison, Err: &worker.PoisonError{Reason: "it is broken", Cure: "mend it"}}
		}, &workertest.Queue{Most: 5}, nil)
		p.queue.Send(messages(1)...)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if n := len(p.at()); n != 1 {
			t.Errorf("%d receipts in 15 s", n)
		}
		time.Sleep(31 * time.Minute)
		n := len(p.at())
		p.queue.Locked(func() {
			if n != 5 || len(p.queue.Dead) != 1 || len(p.queue.Deleted) != 0 {
				t.Errorf("%d receipts, %d dead letters, %d deleted", n, len(p.queue.Dead), len(p.queue.Deleted))
			}
		})
		if log := p.log.String(); !strings.Contains(log, `reason="it is broken" cure="mend it"`) {
			t.Error(log)
		}
		p.end(t)
	})
}

func TestWhileACircuitIsOpenNoReceiptIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Int64
		var left sync.Map
		p := start(nil, &workertest.Queue{Most: 3}, func(c *worker.Config) {
			c.Workers = 10
			c.Ready = func(string) int { return int(ready.Load()) }
			c.Left = func(lane string) { left.Store(lane, true) }
		})
		p.queue.Send(messages(50)...)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := p.queue.Receives(); n != 0 {
			t.Errorf("%d receipts while nothing may be taken", n)
		}
		ready.Store(1)
		time.Sleep(lookAgain)
		synctest.Wait()
		// One alone at a time finds out whether the sink is well; here all are taken so.
		_, told := left.Load("source jobs 0")
		if n := p.queue.Receives(); n != 50 || p.most != 1 || !told {
			t.Errorf("%d receipts, %d at once, told %v", n, p.most, told)
		}
		ready.Store(worker.Any)
		time.Sleep(time.Minute)
		log := p.log.String()
		if strings.Count(log, "left in the queue") != 1 || strings.Count(log, "taken again") != 1 {
			t.Error(log)
		}
		p.end(t)
	})
}

const lookAgain = 2 * time.Second

func TestMessagesOfAGroupKeepTheirOrderAndOneThatWaitsHoldsUpItsGroupAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var well atomic.Bool
		p := start(func(_ context.Context, m worker.Message) worker.Outcome {
			time.Sleep(time.Second)
			if m.Body == "ann 2" && !well.Load() {
				return later()
			}
			return worker.Outcome{Result: worker.Accepted}
		}, &workertest.Queue{}, nil)
		for i := range 5 {
			p.queue.Send(worker.Message{Group: "ann", Body: fmt.Sprint("ann ", i)}, worker.Message{Group: "bob", Body: fmt.Sprint("bob ", i)})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := p.queue.Len(); n != 3 {
			t.Errorf("%d are left", n)
		}
		well.Store(true)
		time.Sleep(2 * time.Hour)
		for _, group := range []string{"ann", "bob"} {
			var seen []string
			for _, b := range p.begun() {
				if strings.HasPrefix(b, group) && (len(seen) == 0 || seen[len(seen)-1] != b) {
					seen = append(seen, b)
				}
			}
			want := []string{group + " 0", group + " 1", group + " 2", group + " 3", group + " 4"}
			if !slices.Equal(seen, want) {
				t.Errorf("%v", seen)
			}
		}
		if p.queue.Len() != 0 || p.count(worker.Returned) == 0 {
			t.Errorf("%d are left, %d were put back at once", p.queue.Len(), p.count(worker.Returned))
		}
		p.end(t)
	})
}

func TestStopTakesNothingMoreAndLetsEndWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(func(context.Context, worker.Message) worker.Outcome {
			time.Sleep(10 * time.Second)
			return worker.Outcome{Result: worker.Accepted}
		}, &workertest.Queue{}, func(c *worker.Config) { c.Workers = 10 })
		p.queue.Send(messages(30)...)
		synctest.Wait()
		p.end(t)
		if n := p.count(worker.Accepted); n != 10 || p.queue.Len() != 20 || p.queue.Receives() != 10 {
			t.Errorf("%d accepted, %d left, %d received", n, p.queue.Len(), p.queue.Receives())
		}
	})
}

func TestWhatIsNotDoneInTimeIsPutBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(func(ctx context.Context, _ worker.Message) worker.Outcome {
			<-ctx.Done()
			return later()
		}, &workertest.Queue{}, nil)
		p.queue.Send(messages(3)...)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if n := p.count(worker.Returned); n != 3 {
			t.Errorf("%d were put back", n)
		}
		got, err := p.queue.Receive(t.Context(), 10, time.Second, 0)
		if err != nil || len(got) != 3 {
			t.Errorf("another worker gets %d at once, %v", len(got), err)
		}
	})
}

func TestAQueueThatFailsIsAskedAgainEverMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var asked atomic.Int64
		down.Store(true)
		q := &workertest.Queue{}
		q.Fail = func(op string) error {
			if op == "receive" {
				asked.Add(1)
			}
			if down.Load() {
				return status.SinkUnavailable.Wrap("queue", errors.New("connection refused"))
			}
			return nil
		}
		p := start(nil, q, func(c *worker.Config) { c.Workers = 1 })
		q.Send(messages(1)...)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := asked.Load(); n > 30 || p.failures() != int(n) {
			t.Errorf("asked %d times, told %d", n, p.failures())
		}
		down.Store(false)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		log := p.log.String()
		if q.Len() != 0 || strings.Count(log, "can't be asked") != 1 || strings.Count(log, "answers again") != 1 {
			t.Errorf("%d are left\n%s", q.Len(), log)
		}
		p.end(t)
	})
}

func TestADeleteThatFailsIsTriedAgainAndThenTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		q := &workertest.Queue{}
		q.Fail = func(op string) error {
			if op == "delete" {
				tries++
				if tries <= 5 {
					return status.SinkUnavailable.Wrap("queue", nil)
				}
			}
			return nil
		}
		p := start(nil, q, nil)
		q.Send(messages(1)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if q.Len() != 0 || tries != 6 || p.count(worker.Accepted) != 2 || !strings.Contains(p.log.String(), "was not deleted") {
			t.Errorf("%d are left after %d tries\n%s", q.Len(), tries, p.log.String())
		}
		p.end(t)
	})
}

func TestAPanicPutsTheMessageBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(func(context.Context, worker.Message) worker.Outcome { panic("canary: secret words") }, &workertest.Queue{}, nil)
		p.queue.Send(messages(1)...)
		synctest.Wait()
		if p.count(worker.Temporary) != 1 || p.queue.Len() != 1 || strings.Contains(p.log.String(), "canary") {
			t.Errorf("%s", p.log.String())
		}
		p.end(t)
	})
}

func TestAQueueWithoutDeadLettersIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(nil, &workertest.Queue{}, nil)
		synctest.Wait()
		if !strings.Contains(p.log.String(), "no dead-letter queue") {
			t.Error(p.log.String())
		}
		p.end(t)
	})
}
