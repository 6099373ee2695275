package ingest_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestChanges_EachSourceOfTheTableMakesAnEvent(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.put(tableSource("one"))
	b.put(tableSource("two"))
	b.put(busSource("bus-like", "Default"))
	other := tableSource("other")
	other.Table.Table = strings.Replace(orders, "orders", "others", 1)
	b.put(other)
	for range 3 {
		if failed := b.Changes(t.Context(), []json.RawMessage{change(1, orders, start), change(2, orders+"s", start)}); failed != "" {
			t.Fatalf("failed from %s", failed)
		}
	}
	got := b.events("Default")
	if len(got) != 2 {
		t.Fatalf("%d events, want 2", len(got))
	}
	for _, e := range got {
		if e.Name != "order.changed" || e.Key != "A-1" || string(e.Content.FieldValues) != `{"status":"paid"}` || e.Content.Sequence != sequence(1) {
			t.Errorf("got %+v %+v", e, e.Content)
		}
		if stored, err := webhook.EncodeContent(e.Content); err != nil || strings.Contains(string(stored), unlisted) {
			t.Errorf("an unlisted value is in %s (%v)", stored, err)
		}
	}
	if got := skipped(b.counts("bus")); got != "no_source 3" {
		t.Errorf("skipped: %s", got)
	}
}

func TestChanges_ReportTheLowestFailedSequenceNumber(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.put(tableSource("orders"))
	var batch []json.RawMessage
	ids := map[string]string{} // by key of the event's item
	for n := 1; n <= 20; n++ {
		batch = append(batch, change(n, orders, start))
		id := webhook.DeriveEventID(start, "table", "orders", orders+"/stream/2026-11-01T00:00:00.000", fmt.Sprint("e", n))
		ids[sequence(n)] = string(id)
	}
	rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	b.failing(func(op memdb.Operation) bool {
		return op.Name == "PutItem" && (strings.Contains(op.Key, ids[sequence(9)]) || strings.Contains(op.Key, ids[sequence(10)]) || strings.Contains(op.Key, ids[sequence(17)]))
	})
	if failed := b.Changes(t.Context(), batch); failed != sequence(9) {
		t.Errorf("failed from %s, want %s", failed, sequence(9))
	}
	if n := len(b.events("Default")); n != 17 {
		t.Errorf("%d events, want 17", n)
	}
	b.failing(nil)
	if failed := b.Changes(t.Context(), batch); failed != "" {
		t.Errorf("failed from %s", failed)
	}
	if n := len(b.events("Default")); n != 20 {
		t.Errorf("%d events, want 20", n)
	}
}

func TestChanges_PoisonIsCountedAndDropped(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.put(tableSource("orders"))
	good := string(change(1, orders, start))
	batch := []json.RawMessage{json.RawMessage(good)}
	for _, poison := range []string{
		`{}`, `[]`, `null`, `7`, strings.Replace(good, `"e1"`, `7`, 1), strings.Replace(good, `"e1"`, `""`, 1), strings.Replace(good, `/stream/`, `/`, 1),
		strings.Replace(good, `{"S":"paid"}`, `{"N":"paid"}`, 1), strings.Replace(good, sequence(1), ``, 1),
		strings.Replace(good, `{"S":"paid"}`, strings.Repeat(`{"L":[`, 60)+strings.Repeat(`]}`, 60), 1),
	} {
		batch = append(batch, json.RawMessage(poison))
	}
	batch = append(batch, change(2, orders, start))
	if failed := b.Changes(t.Context(), batch); failed != "" {
		t.Errorf("failed from %s", failed)
	}
	if n := len(b.events("Default")); n != 2 {
		t.Errorf("%d events, want the 2 that can be read", n)
	}
	if c := b.counts("orders"); skipped(c) != "unreadable 4" || c.Made != 2 || c.Taken != 6 {
		t.Errorf("counts %+v", c)
	}
	if got := skipped(b.counts("bus")); got != "unreadable 6" {
		t.Errorf("skipped without a table: %s", got)
	}
}

func TestChanges_OwnTablesAndMissingImagesAreReported(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	own := tableSource("own")
	own.Table.Table = strings.Replace(orders, "orders", "events", 1)
	b.put(own)
	b.put(tableSource("orders"))
	halves := json.RawMessage(strings.Replace(string(change(2, orders, start)), "NEW_AND_OLD_IMAGES", "NEW_IMAGE", 1))
	if failed := b.Changes(t.Context(), []json.RawMessage{change(1, own.Table.Table, start), halves}); failed != "" {
		t.Errorf("failed from %s", failed)
	}
	for name, want := range map[string][2]string{
		"own":    {"own_table 1", "a table of this service cannot be a source"},
		"orders": {"no_images 1", "the stream must have both images (StreamViewType NEW_AND_OLD_IMAGES)"},
	} {
		if c := b.counts(name); skipped(c) != want[0] || c.LastFault != want[1] {
			t.Errorf("%s: %s, %q", name, skipped(c), c.LastFault)
		}
	}
	if n := len(b.events("Default")); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestChanges_TenantsThatAreGoneGetNothing(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	for _, tenant := range []webhook.Tenant{"Acme", "Leaving"} {
		if err := b.store.Tenants().Create(t.Context(), tenant, start); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.store.Tenants().BeginDelete(t.Context(), "Leaving", "job"); err != nil {
		t.Fatal(err)
	}
	for name, tenant := range map[string]webhook.Tenant{"a": "Acme", "b": "Leaving", "c": "Unknown"} {
		s := tableSource(name)
		s.Tenant = tenant
		b.put(s)
	}
	if failed := b.Changes(t.Context(), []json.RawMessage{change(1, orders, start)}); failed != "" {
		t.Errorf("failed from %s", failed)
	}
	if len(b.events("Acme")) != 1 || len(b.events("Leaving"))+len(b.events("Unknown")) != 0 {
		t.Error("want one event, of Acme")
	}
	if got := skipped(b.counts("b")) + "; " + skipped(b.counts("c")); got != "tenant 1; tenant 1" {
		t.Errorf("skipped: %s", got)
	}
	b.failing(func(op memdb.Operation) bool { return op.Name == "GetItem" && op.Table == "webhooks" })
	b.clock.Advance(2 * time.Minute)
	if failed := b.Changes(t.Context(), []json.RawMessage{change(2, orders, start)}); failed != sequence(2) {
		t.Errorf("with tenants that cannot be read: failed from %q", failed)
	}
}

func TestChanges_16WritesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBatchBench(t)
		b.put(tableSource("orders"))
		var batch []json.RawMessage
		for n := range 200 {
			batch = append(batch, change(n, orders, start))
		}
		var writing atomic.Int64
		release := make(chan struct{})
		b.failing(func(op memdb.Operation) bool {
			if op.Table == "events" {
				writing.Add(1)
				<-release
			}
			return false
		})
		done := make(chan string)
		go func() { done <- b.Changes(t.Context(), batch) }()
		synctest.Wait()
		if n := writing.Load(); n != 16 {
			t.Errorf("%d writes at once, want 16", n)
		}
		close(release)
		if failed := <-done; failed != "" {
			t.Errorf("failed from %s", failed)
		}
		b.failing(nil)
		if n := len(b.events("Default")); n != 200 {
			t.Errorf("%d events, want 200", n)
		}
	})
}

// A source counts from the second in which it was created, however recently the
// sources were read.
func TestChanges_ANewSourceCountsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.put(tableSource("first"))
	b.Changes(t.Context(), []json.RawMessage{change(1, orders, start)})
	b.clock.Advance(200 * time.Millisecond)
	late := tableSource("second")
	late.Created = b.clock.Now()
	b.put(late)
	b.clock.Advance(200 * time.Millisecond)
	b.Changes(t.Context(), []json.RawMessage{change(2, orders, start)})
	if n := len(b.events("Default")); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

// While the list cannot be read again, a second source of the table may be new, and
// the first may list fewer fields: the records come again for both.
func TestChanges_OutdatedSourcesMakeNoEvents(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t)
	b.put(tableSource("first"))
	b.Changes(t.Context(), nil)
	b.clock.Advance(2 * time.Second)
	late := tableSource("second")
	late.Created = b.clock.Now()
	b.put(late)
	b.failing(func(op memdb.Operation) bool { return op.Name == "Query" && op.Table == "webhooks" })
	batch := []json.RawMessage{change(1, orders, start.Add(2*time.Second)), change(2, orders, start.Add(2*time.Second))}
	if failed := b.Changes(t.Context(), batch); failed != sequence(1) {
		t.Errorf("failed from %q on, want the first", failed)
	}
	if n := len(b.events("Default")); n != 0 {
		t.Errorf("%d events are made with sources that may have changed", n)
	}
	b.failing(nil)
	b.clock.Advance(2 * time.Second)
	if failed := b.Changes(t.Context(), batch); failed != "" {
		t.Errorf("failed from %q on", failed)
	}
	if n := len(b.events("Default")); n != 4 {
		t.Errorf("%d events, want those of both", n)
	}
}

// Records of a table and a bus come again and again in any order and in batches of any
// size, one of them a thousand times, while calls fail, time passes and the mappings
// change.
func TestReplays_MakeEachEventOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			replay(t, rand.New(rand.NewPCG(seed, 1)), 20, 10)
		})
	}
	t.Run("a thousand times", func(t *testing.T) {
		t.Parallel()
		replay(t, rand.New(rand.NewPCG(20, 1)), 1, 1000)
	})
}

// replay has this many records of each kind taken that many times at least.
func replay(t *testing.T, random *rand.Rand, records, times int) {
	b := newBatchBench(t)
	b.Logger = slog.New(slog.DiscardHandler)
	sources := []source.Source{tableSource("first"), tableSource("second"), busSource("third", "Default"), busSource("fourth", "Default")}
	for i := range sources {
		sources[i].Created = start.Add(-time.Hour)
		b.put(sources[i])
	}
	// The mappings have listed fields in common, so that each record is an event
	// under all of them.
	remap := func() {
		i := random.IntN(len(sources))
		s := &sources[i]
		s.Revision = max(s.Revision, 1) + 1
		name := fmt.Sprint("name", s.Revision)
		if s.Kind == source.KindTable {
			changed := *s.Table
			changed.Entity, changed.Rename = name, map[string]string{"status": name}
			changed.Fields, changed.Key = [][]string{{"status"}, {"note", "status"}}[random.IntN(2)], [][]string{nil, {"id", "note"}}[random.IntN(2)]
			s.Table = &changed
		} else {
			s.Bus = &source.Bus{Event: name, Key: "total"}
		}
		b.put(*s)
	}
	taken, left := map[string]int{}, 2*records
	take := func(name string) {
		if taken[name]++; taken[name] == times {
			left--
		}
	}
	sent := []time.Time{start, start.Add(-48 * time.Hour)}
	for left > 0 {
		b.clock.Advance(time.Duration(random.IntN(2000)) * time.Millisecond)
		if random.IntN(3) == 0 {
			b.failing(nil)
			remap()
		}
		rate := random.IntN(3)
		b.failing(func(memdb.Operation) bool { return rate == 0 && rand.IntN(4) == 0 })
		picks := random.Perm(records)[:1+random.IntN(records)]
		if random.IntN(2) == 0 {
			var batch []json.RawMessage
			for _, n := range picks {
				batch = append(batch, change(n+1, orders, start))
			}
			if b.Changes(t.Context(), batch) == "" {
				for _, n := range picks {
					take(sequence(n + 1))
				}
			}
			continue
		}
		var batch []source.Message
		for _, n := range picks {
			batch = append(batch, message(n, "Order Placed", sent[n%2]))
		}
		failed := b.Bus(t.Context(), batch)
		for _, m := range batch {
			if !slices.Contains(failed, m.ID) {
				take(m.ID)
			}
		}
	}
	b.failing(nil)
	made := map[string]int{}
	for _, e := range b.events("Default") {
		made[e.Content.SourceEvent]++
	}
	want := map[string]int{}
	for n := range records {
		want[fmt.Sprint("e", n+1)], want[fmt.Sprintf("6a7e8feb-b491-4cf7-a9f1-%012d", n)] = 2, 2
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("events of each record (-want +got):\n%s", diff)
	}
}
