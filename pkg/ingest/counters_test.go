package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/ingest"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func newCounters(t *testing.T) (*ingest.Counters, *sources, *webhooktest.Clock) {
	clock := webhooktest.NewClock(now)
	stored := &sources{Sources: open(t, clock).Sources()}
	return &ingest.Counters{Sources: stored, Now: clock.Now, Logger: webhooktest.Logger(t)}, stored, clock
}

func one(why source.Reason) source.Counts {
	return source.Counts{Taken: 1, Skipped: map[source.Reason]int64{why: 1}}
}

func TestCounters_AreWrittenAtMostEveryTenSecondsPerSource(t *testing.T) {
	t.Parallel()
	c, stored, clock := newCounters(t)
	wants := func(name string, want source.Counts, writes int) {
		t.Helper()
		c.Flush(t.Context())
		got, _ := stored.Counts(t.Context(), name)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("counts of %s (-want +got):\n%s", name, diff)
		}
		if _, n := stored.calls(); n != writes {
			t.Errorf("%d writes, want %d", n, writes)
		}
	}
	wants("crm", source.Counts{}, 0)
	c.Add("crm", one(source.ReasonPing))
	wants("crm", one(source.ReasonPing), 1)
	c.Add("crm", one(source.ReasonLoop))
	clock.Advance(10*time.Second - 1)
	wants("crm", one(source.ReasonPing), 1)
	c.Add("shop", source.Counts{Made: 1})
	wants("shop", source.Counts{Made: 1}, 2)
	c.Add("crm", one(source.ReasonLoop))
	clock.Advance(1)
	wants("crm", source.Counts{Taken: 3, Skipped: map[source.Reason]int64{source.ReasonPing: 1, source.ReasonLoop: 2}}, 3)
	clock.Advance(time.Hour)
	wants("crm", source.Counts{Taken: 3, Skipped: map[source.Reason]int64{source.ReasonPing: 1, source.ReasonLoop: 2}}, 3)
}

func TestCounters_KeepWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	c, stored, clock := newCounters(t)
	stored.fail(errors.Join(webhook.ErrUnavailable))
	c.Add("crm", one(source.ReasonPing))
	c.Flush(t.Context())
	stored.fail(nil)
	c.Add("crm", one(source.ReasonPing))
	c.Flush(t.Context())
	if _, writes := stored.calls(); writes != 1 {
		t.Errorf("%d writes within ten seconds, want the one that failed", writes)
	}
	clock.Advance(10 * time.Second)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c.Flush(ended)
	if _, writes := stored.calls(); writes != 1 {
		t.Error("counts were written after the context ended")
	}
	clock.Advance(10 * time.Second)
	c.Flush(t.Context())
	got, _ := stored.Counts(t.Context(), "crm")
	if want := (source.Counts{Taken: 2, Skipped: map[source.Reason]int64{source.ReasonPing: 2}}); !cmp.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCounters_HoldABoundedNumberOfSources(t *testing.T) {
	t.Parallel()
	c, stored, clock := newCounters(t)
	add := func(from int) {
		for n := range source.MaxSources + 1 {
			c.Add(fmt.Sprint("source", from+n), source.Counts{Taken: 1})
		}
	}
	add(0)
	c.Add("one more", source.Counts{Taken: 1})
	c.Flush(t.Context())
	if _, writes := stored.calls(); writes != source.MaxSources+1 {
		t.Errorf("%d sources were written, want %d", writes, source.MaxSources+1)
	}
	clock.Advance(10 * time.Second)
	add(1000) // in the place of those that have nothing to write
	c.Flush(t.Context())
	if _, writes := stored.calls(); writes != 2*(source.MaxSources+1) {
		t.Errorf("%d sources were written, want %d", writes, 2*(source.MaxSources+1))
	}
}
