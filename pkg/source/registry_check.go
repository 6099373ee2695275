package source

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// validate reports everything that is wrong with a source, and returns those
// that are stored. An existing source's tenant exists or is being deleted.
func (r *Registry) validate(ctx context.Context, s Source, d Draft, isNew bool) ([]Source, error) {
	var f webhook.Faults
	var invalid *webhook.ValidationError
	if errors.As(s.Validate(), &invalid) {
		f = invalid.Faults
	}
	if stored, err := Encode(s); err == nil && len(stored) > maxStored {
		f.AddText("", "The source takes %d bytes, more than %d: list fewer names", len(stored), maxStored)
	}
	r.checkSecret(&f, s, d.Secret, isNew)
	if s.Table != nil {
		_, table, _ := strings.Cut(s.Table.Table, ":table/")
		if slices.Contains(r.OwnTables, table) {
			f.Add("Table.Table", "must not be one of this service's own tables")
		}
	}
	all, err := r.Sources.List(ctx)
	if _, err := webhook.Readable(err); err != nil {
		return nil, err
	}
	if s.Relay != nil && s.Relay.Context != "" {
		for _, other := range all {
			if other.Relay != nil && other.Tenant != s.Tenant && other.Relay.Protocol == s.Relay.Protocol && other.Relay.Context == s.Relay.Context {
				f.Add("Relay.Context", "%q is that of the source %q of another tenant: a context belongs to one tenant", s.Relay.Context, other.Name)
			}
		}
	}
	if isNew && s.Tenant.Valid() {
		switch err := r.TenantExists(ctx, s.Tenant); {
		case errors.Is(err, webhook.ErrNotFound):
			f.Add("Tenant", "%q does not exist", s.Tenant)
		case err != nil:
			return nil, err
		}
	}
	return all, f.Err()
}

// fixed reports members of a draft that differ from the stored source and may
// not. Empty ones become the stored ones.
func fixed(current Source, d *Source) error {
	var f webhook.Faults
	if d.Name != "" && d.Name != current.Name {
		f.Add("Name", "must stay %q: create another source to have another name", current.Name)
	}
	if d.Kind != "" && d.Kind != current.Kind {
		f.Add("Kind", "must stay %s: create another source", current.Kind)
	}
	switch {
	case d.Tenant == "" || d.Tenant == current.Tenant:
	case current.Tenant == "":
		f.Add("Tenant", "must stay that of Table.TenantAttribute: create another source")
	default:
		f.Add("Tenant", "must stay %q: create another source", current.Tenant)
	}
	return f.Err()
}
