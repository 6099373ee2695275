package webhook

import (
	"context"

	"github.com/posthaste-dev/posthaste/pkg/filter"
)

// Preview says which of a tenant's newest events a webhook would get.
type Preview struct {
	// Examined is how many events were looked at, Subscribed how many of them match
	// the webhook's patterns, and Matched how many of those its options let through.
	Examined, Subscribed, Matched int
	// Samples has the newest few events of those that would be sent, and of those
	// that the options leave out, newest first.
	Samples []PreviewSample
	// Missing has the paths in the filter to members that no subscribed event has.
	Missing []string
}

// PreviewSample is an event that matches the webhook's patterns.
type PreviewSample struct {
	Event Event
	// Refusal is the option that leaves the event out. Empty: it would be sent.
	Refusal string
}

// Bounds of a preview.
const (
	maxPreviewed    = 1000
	maxPreviewBytes = 16 << 20 // of events' data
	previewPage     = 100
	previewSamples  = 5 // of each kind
)

// Preview returns which of the tenant's newest 1,000 events the webhook would get,
// fewer if they are large. The webhook need not be stored as it is, and counts as
// active. The caller checks that the principal sees it.
func (r *Registry) Preview(ctx context.Context, w Webhook) (Preview, error) {
	var (
		p        Preview
		coverage *filter.Coverage
		err      error
		sent     int
		leftOut  int
		size     int
		before   EventID
	)
	if len(w.Options.Filter) > 0 {
		if coverage, err = filter.NewCoverage(w.Options.Filter); err != nil {
			return Preview{}, err
		}
	}
	selection := w.Selection()
	for p.Examined < maxPreviewed && size < maxPreviewBytes {
		page, err := r.Events.Search(ctx, EventQuery{Tenant: w.Tenant, Before: before, Limit: min(previewPage, maxPreviewed-p.Examined)})
		if _, err = Readable(err); err != nil {
			return Preview{}, err
		}
		p.Examined += page.Examined
		for _, e := range page.Events {
			size += e.size()
			if !w.maySee(e) || !w.SubscribesTo(SubscriptionKeys(e.Name)...) {
				continue
			}
			p.Subscribed++
			event := &seen{event: e}
			if coverage != nil {
				coverage.Add(event.get())
			}
			count := &sent
			refusal := ""
			if selection.refuses(event) == "" {
				p.Matched++
			} else {
				count, refusal = &leftOut, w.Refusal(e)
			}
			if *count++; *count <= previewSamples {
				p.Samples = append(p.Samples, PreviewSample{e, refusal})
			}
		}
		if before = page.Next; before == "" {
			break
		}
	}
	if coverage != nil && p.Subscribed > 0 {
		p.Missing = coverage.Missing()
	}
	return p, nil
}

// size returns the bytes of an event's data.
func (e Event) size() int {
	if e.Content != nil {
		return e.Content.Size()
	}
	return len(e.Data)
}
