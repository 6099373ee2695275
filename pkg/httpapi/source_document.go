package httpapi

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// sourceDocument is a source as it is shown, in the order of its members. Exactly
// the member of its Kind is not null.
type sourceDocument struct {
	Name                string
	Kind                source.Kind
	Tenant              textOrNull
	Bus                 *busDocument
	Table               *tableDocument
	Relay               *relayDocument
	ExpectWithinMinutes *int64
	// Revision is 0 for the built-in source, which is not stored.
	Revision  int64
	Created   *time.Time
	Updated   *time.Time
	UpdatedBy textOrNull
	Counts    countsDocument
}

type busDocument struct {
	Sources     []string
	DetailTypes []string
	Event       textOrNull
	Entity      textOrNull
	Key         textOrNull
	ChangedBy   textOrNull
	Fields      []string
}

type tableDocument struct {
	Table           string
	Entity          string
	Fields          []string
	Rename          map[string]string
	Key             []string
	TenantAttribute textOrNull
	Tenants         []webhook.Tenant
	ChangedBy       textOrNull
	Previous        []string
	Expired         bool
}

// relayDocument never has the secret itself.
type relayDocument struct {
	Protocol             source.Protocol
	Context              textOrNull
	Secret               string
	SecretOverlapSeconds int64
}

type countsDocument struct {
	Taken       int64
	Made        int64
	Refused     int64
	Truncated   int64
	Skipped     map[source.Reason]int64
	Missing     map[string]int64
	LastTaken   *time.Time
	LastFault   textOrNull
	LastFaultAt *time.Time
}

func newSourceDocument(s source.Source, n source.Counts) sourceDocument {
	d := sourceDocument{
		Name: s.Name, Kind: s.Kind, Tenant: textOrNull(s.Tenant), Revision: s.Revision,
		Created: timeOrNull(s.Created), Updated: timeOrNull(s.Updated), UpdatedBy: textOrNull(s.UpdatedBy),
		Counts: countsDocument{
			Taken: n.Taken, Made: n.Made, Refused: n.Refused, Truncated: n.Truncated,
			Skipped: orEmpty(n.Skipped), Missing: orEmpty(n.Missing),
			LastTaken: timeOrNull(n.LastTaken), LastFault: textOrNull(n.LastFault), LastFaultAt: timeOrNull(n.LastFaultAt),
		},
	}
	if s.ExpectWithin != 0 {
		minutes := int64(s.ExpectWithin / time.Minute)
		d.ExpectWithinMinutes = &minutes
	}
	if b := s.Bus; b != nil {
		d.Bus = &busDocument{
			Sources: listOf(b.Sources), DetailTypes: listOf(b.DetailTypes), Event: textOrNull(b.Event), Entity: textOrNull(b.Entity),
			Key: textOrNull(b.Key), ChangedBy: textOrNull(b.ChangedBy), Fields: listOf(b.Fields),
		}
	}
	if t := s.Table; t != nil {
		d.Table = &tableDocument{
			Table: t.Table, Entity: t.Entity, Fields: listOf(t.Fields), Rename: orEmpty(t.Rename), Key: listOf(t.Key),
			TenantAttribute: textOrNull(t.TenantAttribute), Tenants: listOf(t.Tenants), ChangedBy: textOrNull(t.ChangedBy),
			Previous: listOf(t.Previous), Expired: t.Expired,
		}
	}
	if r := s.Relay; r != nil {
		overlap := webhook.DefaultSecretOverlap
		if r.SecretOverlap != nil {
			overlap = *r.SecretOverlap
		}
		d.Relay = &relayDocument{
			Protocol: r.Protocol, Context: textOrNull(r.Context), Secret: webhook.MaskedSecret, SecretOverlapSeconds: seconds(overlap),
		}
	}
	return d
}

func listOf[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}
