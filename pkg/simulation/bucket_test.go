package simulation_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// bucket holds the batches that Lambda gave up on, until the sweep has sent
// them on.
type bucket struct {
	w       *world
	drawn   int
	names   []string
	batches map[string][]fed
}

// put stores a batch, unless the bucket is failing.
func (b *bucket) put(records []fed) {
	if b.w.weather.lossy {
		b.w.witness.lost = true
		b.w.tracef("stream", "and the bucket is failing: they are lost")
		return
	}
	b.drawn++
	name := fmt.Sprintf("b%d", b.drawn)
	b.names = append(b.names, name)
	b.batches[name] = records
}

func (b *bucket) List(ctx context.Context, after string, limit int) (names []string, err error) {
	err = b.w.effect(ctx, kindQueue, "", "list the bucket", unavailable, func(verdict) error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		names = slices.DeleteFunc(slices.Sorted(slices.Values(b.names)), func(name string) bool { return name <= after })
		names = names[:min(limit, len(names))]
		return nil
	})
	if err != nil {
		names = nil
	}
	return names, err
}

func (b *bucket) Open(ctx context.Context, name string) (records []webhook.Record, err error) {
	err = b.w.effect(ctx, kindQueue, "", "open "+name, unavailable, func(verdict) error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		batch := b.batches[name]
		if batch == nil {
			return webhook.ErrNotFound
		}
		var err error
		records, err = dynamo.DecodeStream(streamPayload(batch))
		return err
	})
	if err != nil {
		records = nil
	}
	return records, err
}

func (b *bucket) Remove(ctx context.Context, name string) error {
	return b.w.effect(ctx, kindQueue, "", "remove "+name, unavailable, func(verdict) error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		for _, r := range b.batches[name] {
			b.w.witness.events[r.event.ID].dispatched = time.Now()
		}
		b.names = slices.DeleteFunc(b.names, func(n string) bool { return n == name })
		delete(b.batches, name)
		return nil
	})
}
