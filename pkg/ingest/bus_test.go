package ingest_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/source"
)

func TestBus_SourcesThatMatchMakeAnEventEach(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	if err := b.store.Tenants().Create(t.Context(), "Acme", start); err != nil {
		t.Fatal(err)
	}
	b.put(busSource("first", "Default", "Order Placed"))
	b.put(busSource("second", "Default", "Order Placed"))
	b.put(busSource("other", "Acme", "Order Placed", "Order Paid"))
	for _, at := range []time.Time{start, start.Add(-48 * time.Hour)} { // ids derived from the time, and claimed
		batch := []source.Message{message(1, "Order Placed", at), message(2, "Order Paid", at), message(3, "Order Lost", at)}
		for range 3 {
			if failed := b.Bus(t.Context(), batch); failed != nil {
				t.Fatalf("failed: %v", failed)
			}
		}
	}
	got := map[string][]string{"Default": b.names("Default"), "Acme": b.names("Acme")}
	want := map[string][]string{
		"Default": {"order.placed", "order.placed", "order.placed", "order.placed"},
		"Acme":    {"order.paid", "order.paid", "order.placed", "order.placed"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for _, e := range b.events("Default") {
		if string(e.Content.FieldValues) != `{"total":1}` || e.Content.Source != "shop" {
			t.Errorf("got %+v %s", e.Content, e.Content.FieldValues)
		}
	}
	if c := b.counts("first"); c.Taken != 6 || c.Made != 6 || c.LastTaken.IsZero() {
		t.Errorf("counts %+v", c)
	}
	if got := skipped(b.counts("bus")); got != "no_source 6" {
		t.Errorf("skipped: %s", got)
	}
}

func TestBus_TheDefaultMappingNeedsATenant(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.put(busSource("placed", "Default", "Order Placed"))
	batch := []source.Message{message(1, "Order Placed", start), message(2, "Order Paid", start)}
	b.Bus(t.Context(), batch)
	b.EventTenant = "Default"
	b.Bus(t.Context(), batch)
	if diff := cmp.Diff([]string{"order.paid", "order.placed"}, b.names("Default")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.EventTenant = "Unknown"
	b.Bus(t.Context(), batch)
	if got := skipped(b.counts("bus")); got != "no_source 1, tenant 1" {
		t.Errorf("skipped: %s", got)
	}
}

func TestBus_OnlyFailedMessagesAreReceivedAgain(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.EventTenant = "Default"
	var batch []source.Message
	for n := range 10 {
		batch = append(batch, message(n, "Order Placed", start))
	}
	var puts atomic.Int64
	b.failing(func(op memdb.Operation) bool {
		if op.Name == "PutItem" && op.Table == "events" {
			return puts.Add(1)%3 == 0
		}
		return false
	})
	failed := b.Bus(t.Context(), batch)
	if len(failed) != 3 {
		t.Fatalf("failed: %v, want 3 of 10", failed)
	}
	if n := len(b.events("Default")); n != 7 {
		t.Errorf("%d events, want 7", n)
	}
	b.failing(nil)
	if c := b.counts("bus"); c.Taken != 7 || c.Made != 7 || !strings.Contains(c.LastFault, "could not be stored") {
		t.Errorf("counts %+v", c)
	}
	if failed := b.Bus(t.Context(), batch); failed != nil {
		t.Errorf("failed again: %v", failed)
	}
	if n := len(b.events("Default")); n != 10 {
		t.Errorf("%d events, want 10", n)
	}
}

func TestBus_WhatCannotBecomeAnEventIsNotReceivedAgain(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.EventTenant = "Default"
	own := message(1, "Order Placed", start)
	own.Body = strings.Replace(own.Body, `"shop"`, `"posthaste.webhooks"`, 1)
	batch := []source.Message{
		own,
		{ID: "a"},
		{ID: "b", Body: "[]"},
		{ID: "c", Body: `{"id":"1"}`},
		{ID: "d", Body: strings.Repeat(`{"a":`, 10_000)},
		{ID: "e", Body: "{\"id\":\"\xff\"}"},
		message(2, "!", start), message(3, "webhook7.errors", start),
		{ID: "f", Body: strings.Replace(message(4, "Order Placed", start).Body, `{"total"`, `[{"total"`, 1)},
	}
	if failed := b.Bus(t.Context(), batch); failed != nil {
		t.Errorf("failed: %v", failed)
	}
	if n := len(b.events("Default")); n != 0 {
		t.Errorf("%d events", n)
	}
	if got := skipped(b.counts("bus")); got != "event_name 2, own_event 1, unreadable 6" {
		t.Errorf("skipped: %s", got)
	}
	if n := b.log.count("record skipped"); n != 3 {
		t.Errorf("%d lines, want one for each reason", n)
	}
}

func TestBus_APanicFailsItsMessageAlone(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.EventTenant = "Default"
	b.Publisher.Random = nil // which only the id of an old event needs
	batch := []source.Message{message(1, "Order Placed", start), message(2, "Order Placed", start.Add(-48*time.Hour)), message(3, "Order Placed", start)}
	if diff := cmp.Diff([]string{"m2"}, b.Bus(t.Context(), batch)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	if n := len(b.events("Default")); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

// A message that is received again a day later has the id that it had at first.
func TestBus_AMessageReceivedADayLaterIsTheSameEvent(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.EventTenant = "Default"
	m := message(1, "Order Placed", start)
	m.Sent = start.Add(time.Second)
	b.clock.Advance(2 * time.Second)
	b.Bus(t.Context(), []source.Message{m})
	b.clock.Advance(25 * time.Hour)
	b.Bus(t.Context(), []source.Message{m})
	if n := len(b.events("Default")); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestBus_SourcesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.put(busSource("placed", "Default", "Order Placed"))
	list := func(op memdb.Operation) bool { return op.Name == "Query" && op.Table == "webhooks" }
	b.failing(list)
	batch := []source.Message{message(1, "Order Placed", start), message(2, "Order Paid", start)}
	if diff := cmp.Diff([]string{"m1", "m2"}, b.Bus(t.Context(), batch)); diff != "" {
		t.Errorf("with no list at all (-want +got):\n%s", diff)
	}
	b.failing(nil)
	b.clock.Advance(2 * time.Second)
	if failed := b.Bus(t.Context(), batch); failed != nil {
		t.Errorf("failed: %v", failed)
	}
	b.failing(list)
	b.clock.Advance(time.Millisecond)
	before := len(b.events("Default"))
	if diff := cmp.Diff([]string{"m1", "m2"}, b.Bus(t.Context(), batch)); diff != "" {
		t.Errorf("just after a list (-want +got):\n%s", diff)
	}
	if n := len(b.events("Default")) - before; n != 0 {
		t.Errorf("%d events are made with sources that may have changed", n)
	}
}

// While the list cannot be read again, a source may have changed: no event is made
// with those known, nor with the built-in one, which would be another tenant's.
func TestBus_OutdatedSourcesMakeNoEvents(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.EventTenant = "Default"
	if err := b.store.Tenants().Create(t.Context(), "Acme", start); err != nil {
		t.Fatal(err)
	}
	b.put(busSource("old", "Default", "Order Paid"))
	b.Bus(t.Context(), []source.Message{message(1, "Order Lost", start)})
	b.clock.Advance(time.Second)
	if err := b.store.Sources().Delete(t.Context(), "old", 1); err != nil {
		t.Fatal(err)
	}
	b.put(busSource("old", "Acme", "Order Placed", "Order Paid"))
	b.failing(func(op memdb.Operation) bool { return op.Name == "Query" && op.Table == "webhooks" })
	batch := []source.Message{message(2, "Order Placed", start), message(3, "Order Paid", start)}
	if diff := cmp.Diff([]string{"m2", "m3"}, b.Bus(t.Context(), batch)); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	b.failing(nil)
	b.clock.Advance(6 * time.Minute)
	if failed := b.Bus(t.Context(), batch); failed != nil {
		t.Errorf("failed: %v", failed)
	}
	got := map[string][]string{"Default": b.names("Default"), "Acme": b.names("Acme")}
	want := map[string][]string{"Default": {"order.lost"}, "Acme": {"order.paid", "order.placed"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A message is of the sources that existed when it was sent, whenever it comes: one
// that comes again must not become an event of another tenant, whose source has the
// name of an older one. If there was none, the built-in source has it.
func TestBus_ALaterSourceHasNoEarlierMessages(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	if err := b.store.Tenants().Create(t.Context(), "Acme", start); err != nil {
		t.Fatal(err)
	}
	m := message(1, "Order Placed", start)
	m.Sent = start
	b.clock.Advance(time.Minute)
	late := busSource("late", "Acme", "Order Placed")
	late.Created = start.Add(time.Millisecond)
	b.put(late)
	b.Bus(t.Context(), []source.Message{m})
	if got := skipped(b.counts("late")); got != "before_source 1" {
		t.Errorf("skipped: %s", got)
	}
	b.EventTenant = "Default"
	b.Bus(t.Context(), []source.Message{m})
	got := map[string][]string{"Default": b.names("Default"), "Acme": b.names("Acme")}
	if diff := cmp.Diff(map[string][]string{"Default": {"order.placed"}, "Acme": {}}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The newest list counts, however recently another was read: a message that comes
// once must not miss a source that is there.
func TestBus_ANewSourceCountsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.Bus(t.Context(), []source.Message{message(1, "Order Placed", start)})
	b.clock.Advance(time.Millisecond)
	b.put(busSource("placed", "Default"))
	b.clock.Advance(time.Millisecond)
	b.Bus(t.Context(), []source.Message{message(2, "Order Placed", start)})
	if n := len(b.events("Default")); n != 1 {
		t.Errorf("%d events, want that of the second message", n)
	}
}
