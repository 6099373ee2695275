package webhook

import (
	"context"

	"github.com/posthaste-dev/posthaste/pkg/filter"
	"github.com/posthaste-dev/posthaste/pkg/template"
)

// Preview says which of a tenant's newest events a webhook would get.
type Preview struct {
	// Examined is how many events were looked at, Subscribed how many of them match
	// the webhook's patterns, and Matched how many of those its options let through.
	Examined, Subscribed, Matched int
	// Samples has the newest few events of those that would be sent, and of those
	// that the options leave out, newest first.
	Samples []PreviewSample
	// Missing has the paths in the filter and the template to members that no subscribed
	// event has.
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
		p       Preview
		sent    int
		leftOut int
		size    int
		before  EventID
	)
	covered, err := newCovered(w.Options)
	if err != nil {
		return Preview{}, err
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
			covered.add(event)
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
	if p.Subscribed > 0 {
		p.Missing = covered.missing()
	}
	return p, nil
}

// covered finds out which members that a filter and a template name exist in events. One
// of the two is nil if there is none.
type covered struct {
	options  Options
	filter   *filter.Coverage
	template *template.Coverage
}

func newCovered(o Options) (c covered, err error) {
	c.options = o
	if len(o.Filter) > 0 {
		if c.filter, err = filter.NewCoverage(o.Filter); err != nil {
			return covered{}, err
		}
	}
	if len(o.Template) > 0 {
		c.template, err = template.NewCoverage(o.Template)
	}
	return c, err
}

func (c covered) add(e *seen) {
	if c.filter != nil {
		c.filter.Add(e.get())
	}
	if c.template != nil {
		all := e.event.Only(c.options.Fields).Carried(false)
		c.template.Add(&template.Event{FieldValues: all.FieldValues, Values: all.Values, Previous: all.Previous})
	}
}

func (c covered) missing() (paths []string) {
	if c.filter != nil {
		paths = c.filter.Missing()
	}
	if c.template != nil {
		paths = append(paths, c.template.Missing()...)
	}
	return paths
}

// size returns the bytes of an event's data.
func (e Event) size() int {
	if e.Content != nil {
		return e.Content.Size()
	}
	return len(e.Data)
}
