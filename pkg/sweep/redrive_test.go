package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// givenUp is the failure bucket, in memory.
type givenUp struct {
	lists   int
	batches map[string][]webhook.Record
	faults  map[string]error
}

func (g *givenUp) List(_ context.Context, after string, limit int) (names []string, err error) {
	g.lists++
	for name := range g.batches {
		if name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(limit, len(names))], g.faults["List"]
}

func (g *givenUp) Open(_ context.Context, name string) ([]webhook.Record, error) {
	if g.batches[name] == nil {
		return nil, webhook.Invalid("%s must be a batch", name)
	}
	return g.batches[name], g.faults["Open "+name]
}

func (g *givenUp) Remove(_ context.Context, name string) error {
	if g.faults["Remove"] == nil {
		delete(g.batches, name)
	}
	return g.faults["Remove"]
}

func TestRun_RedrivesFailedBatches(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	accepted := b.clock.Now().Add(-time.Hour)
	record := func(n int) webhook.Record {
		id := webhook.EventID(fmt.Sprintf("01234567-89ab-7fff-bfff-%012d", n))
		return webhook.Record{Event: webhook.Event{Tenant: "Default", ID: id, Name: "a.b"}, Accepted: accepted, Sequence: fmt.Sprint(n)}
	}
	failures := &givenUp{faults: map[string]error{}, batches: map[string][]webhook.Record{
		"1": {record(1), {Sequence: "2", Undecodable: []byte("?")}, record(3)}, "2": nil, "3": {record(4)},
	}}
	b.sweeper.Failures = failures
	expanded := func() (events []string) {
		t.Helper()
		received, err := b.db.Queue().Receive(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range received {
			if r.Message.Kind != delivery.MessageExpand || !r.Message.Accepted.Equal(accepted) || r.Message.To != 0 || !r.Message.Missing {
				t.Errorf("got %+v, want the event matched again as of its acceptance", r.Message)
			}
			events = append(events, string(r.Message.Event[35:]))
			if err := b.db.Queue().Ack(t.Context(), []string{r.Receipt}); err != nil {
				t.Fatal(err)
			}
		}
		return events
	}
	failures.faults["Remove"] = webhook.ErrUnavailable
	if err := b.sweeper.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("a bucket that removes nothing: got %v", err)
	}
	if diff := cmp.Diff([]string{"1", "3"}, expanded()); diff != "" {
		t.Errorf("before its batch is removed (-want +got):\n%s", diff)
	}
	failures.faults["Remove"] = nil
	failures.faults["Open 1"] = errors.New("archived")
	if err := b.sweeper.Run(t.Context()); err == nil {
		t.Error("a batch that cannot be opened must be reported")
	}
	if diff := cmp.Diff([]string{"4"}, expanded()); diff != "" {
		t.Errorf("behind a batch that cannot be opened (-want +got):\n%s", diff)
	}
	failures.faults["Open 1"] = nil
	if err := b.sweeper.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "3"}, expanded()); diff != "" {
		t.Errorf("all that can be read (-want +got):\n%s", diff)
	}
	if _, left := failures.batches["2"]; !left || len(failures.batches) != 1 {
		t.Errorf("batches left: %v, want the unreadable one", failures.batches)
	}
	if err := b.sweeper.Run(t.Context()); err != nil || len(expanded()) > 0 {
		t.Errorf("a third time: got %v and further messages", err)
	}
	b.clock.Advance(time.Hour)
	letters, err := b.db.DeadLetters().Receive(t.Context(), 10)
	if err != nil || len(letters) != 2 || letters[0].Undecodable != "?" {
		t.Errorf("got %+v, %v; want the unreadable record twice", letters, err)
	}
	failures.faults["List"] = webhook.ErrUnavailable
	if err := b.sweeper.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("a bucket that cannot be listed: got %v", err)
	}
}

// A bucket that was empty is listed in every fifth minute, one with batches in every
// minute, and so is one that could not be listed.
func TestRun_ListsAnEmptyBucketEveryFifthMinute(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	failures := &givenUp{batches: map[string][]webhook.Record{}, faults: map[string]error{"List": webhook.ErrUnavailable}}
	changes := &failedChanges{batches: map[string]string{}, unread: map[string]error{"List": webhook.ErrUnavailable}}
	b.sweeper.Failures, b.sweeper.Changes = failures, &sweep.Changes{Failures: changes, Take: changes.take}
	minutes := func(n int) [2]int {
		t.Helper()
		failures.lists, changes.lists = 0, 0
		for minute := range n {
			_ = b.sweeper.Run(t.Context()) // returns the faults
			b.clock.Advance(time.Minute + []time.Duration{time.Second, -time.Second}[minute%2])
		}
		return [2]int{failures.lists, changes.lists}
	}
	if got, want := minutes(4), [2]int{4, 4}; got != want {
		t.Errorf("buckets that could not be listed were listed %v times in 4 minutes, want %v", got, want)
	}
	clear(failures.faults)
	clear(changes.unread)
	if got, want := minutes(10), [2]int{2, 2}; got != want {
		t.Errorf("empty buckets were listed %v times in 10 minutes, want %v", got, want)
	}
	failures.batches["1"], changes.batches["1"] = []webhook.Record{}, "1"
	failures.faults["Open 1"], changes.verdicts = webhook.ErrUnavailable, map[string]error{"1": errPartly}
	if got, want := minutes(4), [2]int{4, 7}; got != want { // the changes behind the last one, and from the first
		t.Errorf("buckets with a batch were listed %v times in 4 minutes, want %v", got, want)
	}
}
