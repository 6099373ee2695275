package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestSweep_AFaultyDeadLetterDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n := range 30 { // several pages
		s.bury(delivery.Message{Kind: delivery.MessageExpand, Tenant: tenant, Event: key(1, n).Event})
	}
	for n := range 5 {
		s.bury(attempt(key(1, n), 1, 1))
	}
	s.faults["Send"] = webhook.ErrUnavailable
	err := s.Run(t.Context())
	if !errors.Is(err, webhook.ErrUnavailable) || !strings.Contains(err.Error(), "30 dead letters skipped") {
		t.Errorf("got %v, want an error with the number of faults", err)
	}
	for n := range 5 {
		if row := s.row(key(1, n)); row.Status != delivery.StatusPending {
			t.Errorf("letter %d behind them is %q, want a row", n, row.Status)
		}
	}
}

func TestSweep_AFaultyIntentDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const bad, good = 150, 20 // more than one Run clears
	for n := range bad + good {
		name := fmt.Sprintf("local/%s/1/%03d", tenant, n)
		if _, err := s.db.Secrets().Create(t.Context(), name, webhook.SecretDocument{Current: webhook.NewSecret("ea")}); err != nil {
			t.Fatal(err)
		}
		s.must(s.db.Webhooks().PutIntent(t.Context(), webhook.Intent{Secret: name, Tenant: tenant, Webhook: 1, At: start.Add(time.Duration(n) * time.Second)}))
		if n < bad {
			s.faults["Delete "+name] = webhook.ErrUnavailable
		}
	}
	s.clock.Advance(2 * time.Hour)
	if err := s.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("got %v, want the fault", err)
	}
	left, err := s.db.Webhooks().Intents(t.Context(), s.clock.Now(), 1000)
	if s.must(err); len(left) != bad {
		t.Errorf("%d intents are left, want the %d faulty ones", len(left), bad)
	}
}

// Jobs that fail, or use up the time, have the first ids.
func TestRun_NoJobWaitsForOthers(t *testing.T) {
	t.Parallel()
	const jobs = 40
	for name, run := range map[string]func(b *jobBench, j job.Job) (job.Job, error){
		"that fail": func(_ *jobBench, j job.Job) (job.Job, error) { return j, errors.New("archived") },
		"that are slow": func(b *jobBench, j job.Job) (job.Job, error) {
			b.clock.Advance(9 * time.Second)
			return j, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := false
			b := newJobBench(t, func(b *jobBench) job.Slice {
				return func(_ context.Context, j job.Job) (job.Job, error) {
					if j.Tenant != "Last" {
						return run(b, j)
					}
					done = true
					j.Status = job.Done
					return j, nil
				}
			})
			for range jobs {
				b.start(t)
			}
			last := job.Job{ID: "ffffffff-89ab-7fff-bfff-ffffffffffff", Kind: job.Redispatch, Tenant: "Last", Status: job.Running, Revision: 1}
			if err := b.db.Jobs().Create(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			for minute := 0; !done; minute++ {
				if minute > jobs {
					t.Fatalf("the last of %d jobs had no slice in %d minutes", jobs+1, minute)
				}
				_ = b.sweeper.Run(t.Context()) // returns the failures
				b.clock.Advance(time.Minute)
			}
		})
	}
}

// 1,200 batches need more than two lists.
func TestRun_RedrivesPastUnreadableBatches(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	failures := &givenUp{batches: map[string][]webhook.Record{}, faults: map[string]error{}}
	for n := range 1200 {
		failures.batches[fmt.Sprintf("%04d", n)] = nil // not a batch
		if n%2 == 0 {
			failures.batches[fmt.Sprintf("%04d", n)] = []webhook.Record{}
			failures.faults[fmt.Sprintf("Open %04d", n)] = webhook.ErrUnavailable
		}
	}
	failures.batches["9999"] = []webhook.Record{{Event: webhook.Event{Tenant: "Default", ID: "01234567-89ab-7fff-bfff-ffffffffffff", Name: "a.b"}}}
	b.sweeper.Failures = failures
	if err := b.sweeper.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("got %v, want the fault", err)
	}
	if received, err := b.db.Queue().Receive(t.Context(), 10); err != nil || len(received) != 1 || received[0].Message.Kind != delivery.MessageExpand {
		t.Errorf("got %+v, %v; want the record of the last batch", received, err)
	}
}
