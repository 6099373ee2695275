package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// failedChanges is the bucket of failed changes in memory, and the function that
// takes them again, with verdicts on the batches that it fails to take.
type failedChanges struct {
	batches  map[string]string
	verdicts map[string]error
	unread   map[string]error
	calls    []string
	lists    int
}

var errPartly = errors.New("partly")

func (f *failedChanges) List(_ context.Context, after string, limit int) (names []string, err error) {
	f.lists++
	for name := range f.batches {
		if name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(limit, len(names))], f.unread["List"]
}

func (f *failedChanges) Payload(_ context.Context, name string) ([]byte, error) {
	return []byte(name), f.unread[name]
}

func (f *failedChanges) Remove(_ context.Context, name string) error {
	if f.unread["Remove"] == nil {
		delete(f.batches, name)
	}
	return f.unread["Remove"]
}

func (f *failedChanges) take(_ context.Context, batch []byte) (bool, error) {
	f.calls = append(f.calls, string(batch))
	err := f.verdicts[string(batch)]
	if errors.Is(err, errPartly) {
		return false, nil
	}
	return err == nil, err
}

func TestRun_TakesFailedChangesAgain(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	f := &failedChanges{batches: map[string]string{}, verdicts: map[string]error{}, unread: map[string]error{}}
	for _, name := range []string{"1", "2", "3", "4", "5", "6"} {
		f.batches[name] = name
	}
	b.sweeper.Changes = &sweep.Changes{Failures: f, Take: f.take}
	run := func() string {
		t.Helper()
		f.calls = nil
		if err := b.sweeper.Run(t.Context()); err != nil {
			return err.Error()
		}
		return ""
	}
	f.verdicts["1"], f.verdicts["3"], f.verdicts["5"] = errPartly, errors.New("it failed"), webhook.ErrUnavailable
	f.unread["2"], f.unread["4"] = webhook.Invalid("4 must be a JSON object"), webhook.ErrNotFound
	if got := run(); !strings.Contains(got, "temporarily unavailable") || !strings.Contains(got, "2 failed changes skipped, first: some of its records") {
		t.Errorf("got %q", got)
	}
	if diff := cmp.Diff([]string{"1", "3", "5"}, f.calls); diff != "" {
		t.Errorf("taken, up to the one that could not be (-want +got):\n%s", diff)
	}
	clear(f.verdicts)
	f.verdicts["6"] = errPartly
	if got := run(); !strings.Contains(got, "1 failed changes skipped") {
		t.Errorf("got %q", got)
	}
	if diff := cmp.Diff([]string{"6", "1", "3", "5"}, f.calls); diff != "" {
		t.Errorf("taken behind the last one, and then from the first (-want +got):\n%s", diff)
	}
	clear(f.verdicts)
	f.unread = map[string]error{"Remove": webhook.ErrUnavailable}
	if got := run(); !strings.Contains(got, "taken but not removed") {
		t.Errorf("a bucket that removes nothing: got %q", got)
	}
	clear(f.unread)
	if got := run(); got != "" {
		t.Errorf("got %q", got)
	}
	if len(f.batches) != 0 {
		t.Errorf("left: %v", f.batches)
	}
	if n := len(mustReceive(t, b)); n != 0 {
		t.Errorf("%d messages: no queue may hold a table's records", n)
	}
	f.unread["List"] = webhook.ErrUnavailable
	if got := run(); !strings.Contains(got, "temporarily unavailable") {
		t.Errorf("a bucket that cannot be listed: got %q", got)
	}
}

func TestRun_FailedChangesThatFailEveryTimeDoNotBlockTheOthers(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	f := &failedChanges{batches: map[string]string{}, verdicts: map[string]error{}}
	for n := range 45 {
		name := fmt.Sprintf("%02d", n)
		f.batches[name] = name
		if n < 44 {
			f.verdicts[name] = errPartly
		}
	}
	b.sweeper.Changes = &sweep.Changes{Failures: f, Take: f.take}
	for run, want := range []int{20, 20, 20, 20} {
		f.calls = nil
		if err := b.sweeper.Run(t.Context()); err == nil {
			t.Errorf("run %d: failing batches must be reported", run)
		}
		if len(f.calls) != want {
			t.Errorf("run %d: %d batches, want %d", run, len(f.calls), want)
		}
	}
	if _, left := f.batches["44"]; left {
		t.Error("the last batch was never taken")
	}
}

func mustReceive(t *testing.T, b *jobBench) []delivery.Received {
	t.Helper()
	received, err := b.db.Queue().Receive(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	letters, err := b.db.DeadLetters().Receive(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	return append(received, letters...)
}
