package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// stateEvent returns the event raised by a change of state: started on
// re-activation, stopped when the owner stops the webhook.
func (r *Registry) stateEvent(old, w Webhook, now time.Time) ([]Event, error) {
	switch {
	case old.State == w.State:
		return nil, nil
	case w.State == StateActive:
		e, err := NewStateEvent(w, "started", now, r.Random, r.EventLife)
		return []Event{e}, err
	case w.State == StateStopped:
		e, err := NewStateEvent(w, "stopped", now, r.Random, r.EventLife)
		return []Event{e}, err
	}
	return nil, nil
}

// NewStateEvent returns the event that reports a webhook's change of state, for
// webhooks that may see that webhook. kind is "started", "stopped" or "errors".
func NewStateEvent(w Webhook, kind string, now time.Time, random io.Reader, life time.Duration) (Event, error) {
	id, err := NewEventID(now, random)
	if err != nil {
		return Event{}, err
	}
	data, err := json.Marshal(struct {
		Events     string `json:"events"`
		Registered string `json:"registered"`
		By         int32  `json:"registered_associate_id"`
		State      int8   `json:"state"`
		Updated    string `json:"updated"`
		UpdatedBy  int32  `json:"updated_associate_id"`
	}{
		strings.Join(w.Events, ","), w.Registered.UTC().Format(time.RFC3339), w.RegisteredBy.ID,
		int8(w.State), w.Updated.UTC().Format(time.RFC3339), w.UpdatedBy.ID,
	})
	if err != nil {
		return Event{}, fmt.Errorf("state event of webhook %d: %w", w.ID, err)
	}
	return Event{
		Tenant: w.Tenant, ID: id, Name: fmt.Sprintf("webhook%d.%s", w.ID, kind), PrimaryKey: w.ID,
		Data: data, App: w.App, At: now.UTC().Truncate(100 * time.Nanosecond), ExpiresAt: now.Add(life),
	}, nil
}
