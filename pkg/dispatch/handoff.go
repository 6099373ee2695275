package dispatch

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// handOff sends all messages.
func (b *batch) handOff(ctx context.Context) {
	if len(b.out) == 0 {
		return
	}
	out := make([]delivery.Outgoing, len(b.out))
	for i, o := range b.out {
		out[i] = o.Outgoing
	}
	for i := range b.sendAll(ctx, out) {
		if !b.out[i].hasRow {
			b.lost[b.out[i].record] = true
		}
	}
}

// checkpoint returns the Sequence of the lowest record that was not handed off, or
// "". It waits until the youngest record from there on is so old that it will go
// through the queue when the feed sends it again: records that were attempted here
// must not be attempted twice.
func (b *batch) checkpoint(ctx context.Context) string {
	for i, lost := range b.lost {
		if !lost {
			continue
		}
		youngest := b.records[i].Accepted
		for _, r := range b.records[i:] {
			if r.Accepted.After(youngest) {
				youngest = r.Accepted
			}
		}
		b.wait(ctx, youngestToFail-webhook.Elapsed(youngest, b.Now()))
		return b.records[i].Sequence
	}
	return ""
}

// wait returns after d, or when the context ends.
func (b *batch) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
