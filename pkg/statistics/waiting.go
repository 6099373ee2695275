package statistics

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Waiting is what waits until the target of a webhook responds again. It lags behind by
// seconds.
type Waiting struct {
	// Count is the number of deliveries, at most MaxWaiting. More says that there are
	// more than that.
	Count int
	More  bool
	// Oldest is when the event of the oldest one was accepted; zero if none waits.
	Oldest time.Time
}

// MaxWaiting is how far the deliveries that wait are counted.
const MaxWaiting = 10_000

// waiting counts what waits for a webhook.
func (r *Reader) waiting(ctx context.Context, key webhook.Key) (Waiting, error) {
	n, err := r.Backlog.Waiting(ctx, key, MaxWaiting+1)
	if err != nil || n == 0 {
		return Waiting{}, err
	}
	found := Waiting{Count: min(n, MaxWaiting), More: n > MaxWaiting}
	for partition := range delivery.ParkedPartitions {
		oldest, err := r.Backlog.Parked(ctx, key, partition, "", 1)
		if _, err = webhook.Readable(err); err != nil {
			return Waiting{}, err
		}
		for _, row := range oldest {
			if at := row.Event.Time(); found.Oldest.IsZero() || at.Before(found.Oldest) {
				found.Oldest = at
			}
		}
	}
	return found, nil
}
