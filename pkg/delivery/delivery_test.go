package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

func TestDueShard_SpreadsWhatSharesAnyTwoPartsOfItsKey(t *testing.T) {
	t.Parallel()
	random := webhooktest.Random(1)
	event := func() webhook.EventID {
		id, err := webhook.NewEventID(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), random)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	const n = 1600
	one := event()
	for name, key := range map[string]func(i int) delivery.Key{
		"the first webhook of each tenant": func(i int) delivery.Key {
			return delivery.Key{Tenant: webhook.Tenant(fmt.Sprint("Cust", i)), Webhook: 1, Event: one}
		},
		"the webhooks of an event": func(i int) delivery.Key {
			return delivery.Key{Tenant: "Default", Webhook: int32(i), Event: one}
		},
		"the events of a webhook": func(int) delivery.Key {
			return delivery.Key{Tenant: "Default", Webhook: 1, Event: event()}
		},
	} {
		shards := make([]int, delivery.DueShards)
		for i := range n {
			shards[delivery.DueShard(key(i))]++
		}
		for shard, got := range shards {
			if got < n/delivery.DueShards/2 || got > n/delivery.DueShards*2 {
				t.Errorf("%s: shard %d has %d of %d rows, want about a sixteenth", name, shard, got, n)
			}
		}
	}
}
