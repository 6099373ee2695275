package replay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Reason is why a replay sends an event.
type Reason string

// The reasons. A caller who names Failed means Cancelled too.
const (
	Failed    Reason = "Failed"
	Cancelled Reason = "Cancelled"
	Missing   Reason = "Missing"   // the webhook matches the event and has no delivery of it
	Delivered Reason = "Delivered" // only on request: the receiver gets the event again
)

// Reasons are those that a caller may name.
var Reasons = []Reason{Failed, Missing, Delivered}

// Plan says which events of a period a replay sends to its webhook.
type Plan struct {
	// From is included, To is not. Both are times of acceptance.
	From, To time.Time `json:"-"` // the job has them
	// Events are names, or patterns as in a webhook's Events. Empty: all that the
	// webhook is subscribed to.
	Events []string `json:",omitempty"`
	// Entity is compared case-insensitively, Key exactly. Empty or nil: any.
	Entity     string `json:",omitempty"`
	PrimaryKey *int32 `json:",omitempty"`
	Key        string `json:",omitempty"`
	// Only are the reasons for which an event is sent. Empty: Failed and Missing.
	Only []Reason `json:",omitempty"`
	// MaxPerSecond is the highest rate of first attempts. 0: DefaultPerSecond.
	MaxPerSecond int `json:",omitempty"`
	// DryRun only counts the deliveries.
	DryRun bool `json:",omitempty"`
}

const (
	// DefaultPerSecond is the rate of a plan that states none.
	DefaultPerSecond = 50
	mostPerSecond    = 500
	// settled is how long ago the period must have ended: by then the events of live
	// traffic have rows, or messages whose rows fence those of the replay.
	settled = time.Minute
	// maxPatterns bounds the size of a job.
	maxPatterns = 100
	maxText     = 256 // bytes of Entity and Key
)

// check completes the plan of a caller and returns what is wrong with it.
func (p *Plan) check(now time.Time, eventLife time.Duration) error {
	var f webhook.Faults
	latest := now.Add(-settled).UTC().Truncate(time.Millisecond)
	if p.To.IsZero() {
		p.To = latest
	}
	p.From, p.To = p.From.UTC().Truncate(time.Millisecond), p.To.UTC().Truncate(time.Millisecond)
	switch {
	case p.From.IsZero():
		f.Add("From", "is required")
	case p.To.After(latest):
		f.Add("To", "must be at least a minute ago: younger events may still be on their way")
	case !p.From.Before(p.To):
		f.Add("From", "must be before To")
	}
	if oldest := now.Add(-eventLife).UTC().Truncate(time.Millisecond); p.From.Before(oldest) && p.To.After(oldest) {
		p.From = oldest // nothing older is kept
	}
	if len(p.Events) > maxPatterns {
		f.Add("Events", "has more than %d items", maxPatterns)
	}
	for i, pattern := range p.Events[:min(len(p.Events), maxPatterns)] {
		if !webhook.ValidEventPattern(pattern) {
			f.AddText("Events", "Events[%d] must be the name of an event, such as contact.changed, or a pattern, such as contact.*", i)
		}
	}
	if len(p.Entity) > maxText {
		f.Add("Entity", "must be at most %d bytes", maxText)
	}
	if len(p.Key) > maxText {
		f.Add("Key", "must be at most %d bytes", maxText)
	}
	for i, r := range p.Only {
		if !slices.Contains(Reasons, r) {
			f.AddText("Only", "Only[%d] must be Failed, Missing or Delivered", i)
		}
	}
	slices.Sort(p.Only)
	if p.Only = slices.Compact(p.Only); len(p.Only) == 0 {
		p.Only = []Reason{Failed, Missing}
	}
	if p.MaxPerSecond == 0 {
		p.MaxPerSecond = DefaultPerSecond
	}
	if p.MaxPerSecond < 1 || p.MaxPerSecond > mostPerSecond {
		f.Add("MaxPerSecond", "must be from 1 to %d", mostPerSecond)
	}
	return f.Err()
}

func (p Plan) encode() (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode plan: %w", err)
	}
	return string(text), nil
}

// readPlan returns the plan of a replay's job; see job.Job.
func readPlan(plan string, from, to time.Time) (Plan, error) {
	p := Plan{From: from, To: to}
	if err := json.Unmarshal([]byte(plan), &p); err != nil {
		return Plan{}, fmt.Errorf("read plan: %w", err)
	}
	return p, nil
}

// wants reports whether the plan names the reason.
func (p Plan) wants(r Reason) bool {
	if r == Cancelled {
		r = Failed
	}
	return slices.Contains(p.Only, r)
}

// takesEvent reports whether the plan selects an event to which the webhook is
// subscribed now.
func (p Plan) takesEvent(w webhook.Webhook, e webhook.Event) bool {
	f := webhook.EventFilter{Entity: p.Entity, Key: p.Key, PrimaryKey: p.PrimaryKey}
	return w.Subscribed(e) && f.Matches(e) && p.takesName(e.Name)
}

func (p Plan) takesName(name string) bool {
	keys := webhook.SubscriptionKeys(name)
	return len(p.Events) == 0 || slices.ContainsFunc(p.Events, func(pattern string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(pattern, key) })
	})
}

// filter selects rows; takesName and reasonFor decide the rest.
func (p Plan) filter() delivery.Filter {
	return delivery.Filter{Entity: p.Entity, Key: p.Key, PrimaryKey: p.PrimaryKey}
}

// reasonFor returns why the plan sends the event of a row again, or of an event without
// one. ok is false if it does not: what is pending is on its way.
func (p Plan) reasonFor(row delivery.Row) (r Reason, ok bool) {
	switch row.Status {
	case "":
		r = Missing
	case delivery.StatusFailed:
		r = Failed
	case delivery.StatusCancelled:
		r = Cancelled
	case delivery.StatusDelivered:
		r = Delivered
	case delivery.StatusPending, delivery.StatusExpired:
		return "", false
	}
	return r, p.wants(r)
}
