package replay

import (
	"context"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// EventList is what RedispatchSlice needs of webhook.Events.
type EventList interface {
	List(ctx context.Context, tenant webhook.Tenant, first, last webhook.EventID, limit int) ([]webhook.Event, error)
}

// eventsAtOnce is how many events a slice enqueues: a tenth of a second of the
// queue's time, and at most 25 MB of events in memory.
const eventsAtOnce = 100

// RedispatchSlice returns the slice of jobs of kind job.Redispatch: it enqueues every
// event of the job's tenant and period to be matched again, so that its missing
// deliveries are made. It is the last resort after a stream lost its records;
// deliveries that were begun are not touched.
//
// An event counts as accepted at its id's time, since the stream's stamp is not kept: a
// webhook activated after that time does not get it. The event's own time may be days
// before it was accepted, or ahead. The cursor is the id of the last event that was
// enqueued; Examined and Processed count events.
func RedispatchSlice(events EventList, messages delivery.Queue) job.Slice {
	return func(ctx context.Context, j job.Job) (job.Job, error) {
		first, end := webhook.FirstEventID(j.From), webhook.FirstEventID(j.To)
		if j.Cursor != "" {
			first = webhook.EventID(j.Cursor)
		}
		page, err := events.List(ctx, j.Tenant, first, end, eventsAtOnce)
		if err := j.PassOver(err); err != nil {
			return j, err
		}
		full := len(page) == eventsAtOnce
		var out []delivery.Outgoing
		for _, e := range page {
			if string(e.ID) == j.Cursor || e.ID >= end {
				continue // enqueued by the previous slice, or after the period
			}
			m := delivery.ExpandMessage(e, e.ID.Time())
			m.Missing, m.Replay = true, j.ID
			out = append(out, delivery.Outgoing{Message: m})
		}
		if err := delivery.SendAll(ctx, messages, out); err != nil {
			return j, err
		}
		if len(page) > 0 {
			j.Cursor = string(page[len(page)-1].ID)
		}
		j.Examined, j.Processed = j.Examined+len(out), j.Processed+len(out)
		if !full {
			j.Status = job.Done
		}
		return j, nil
	}
}
