package source

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Try returns what a sample record becomes under a source, and stores nothing.
// For a bus it is an event as EventBridge delivers it, for a table one record of
// a stream batch, for a relay a delivery. Of a delivery of Standard Webhooks
// without ID and At, these are made up. Errors: webhook.ErrNotFound,
// *webhook.ValidationError for a record that cannot be read, webhook.ErrUnavailable.
func (r *Registry) Try(ctx context.Context, name string, sample Delivery) (Outcome, error) {
	s, err := r.Get(ctx, name)
	if err != nil {
		return Outcome{}, err
	}
	out, err := r.outcome(s, sample)
	if err != nil || out.Skip != "" {
		return out, err
	}
	switch err := r.TenantExists(ctx, out.Event.Tenant); {
	case errors.Is(err, webhook.ErrNotFound):
		return Outcome{Skip: ReasonTenant, Missing: out.Missing}, nil
	case err != nil:
		return Outcome{}, err
	}
	return out, nil
}

func (r *Registry) outcome(s Source, sample Delivery) (Outcome, error) {
	now := r.Now().UTC()
	switch {
	case s.Bus != nil:
		e, err := ParseBus(sample.Body)
		if err != nil {
			return Outcome{}, unreadable(err)
		}
		if !s.Bus.Matches(e) && !strings.HasPrefix(e.Source, OwnPrefix) {
			return skipped(ReasonNoSource), nil
		}
		return s.FromBus(e, now), nil
	case s.Table != nil:
		c, err := ParseChange(sample.Body)
		if err != nil {
			return Outcome{}, unreadable(err)
		}
		if _, table, _ := strings.Cut(c.Table, ":table/"); slices.Contains(r.OwnTables, table) {
			return skipped(ReasonTable), nil
		}
		if c.Table != s.Table.Table {
			return skipped(ReasonNoSource), nil
		}
		return s.FromChange(c), nil
	default:
		if s.Relay.Protocol == ProtocolStandard {
			if sample.ID == "" {
				sample.ID = "msg_test"
			}
			if sample.At.IsZero() {
				sample.At = now.Truncate(time.Second)
			}
		}
		return s.FromRelay(sample, now, r.EventLife), nil
	}
}

func unreadable(err error) error {
	var f webhook.Faults
	f.Add("Record", "%v", err)
	return f.Err()
}
