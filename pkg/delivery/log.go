package delivery

import (
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// LogQuery selects rows of a webhook's delivery log.
type LogQuery struct {
	Tenant  webhook.Tenant
	Webhook int32
	// First and Before bound the event ids: First is included, Before is not. Empty:
	// no bound.
	First, Before webhook.EventID
	Filter        Filter
	// Limit is the largest number of rows in the page, at least 1.
	Limit int
	// Examine is about the largest number of rows that are read, at least 1. A store
	// with partitions reads an equal share of each.
	Examine int
}

// LogPage is a page of a webhook's delivery log.
type LogPage struct {
	Deliveries []Row
	// Examined is the number of rows between Before and Next: the page has all of them
	// that the filter selects.
	Examined int
	// Next is the Before of the next page. Empty: there are no more rows.
	Next webhook.EventID
}

// StatusClass is the first digit of an HTTP status, as filters name it.
type StatusClass string

// The classes.
const (
	ClassNone        StatusClass = "none" // no response
	ClassSuccess     StatusClass = "2xx"
	ClassRedirect    StatusClass = "3xx"
	ClassClientError StatusClass = "4xx"
	ClassServerError StatusClass = "5xx"
)

// StatusClasses lists the classes.
var StatusClasses = []StatusClass{ClassNone, ClassSuccess, ClassRedirect, ClassClientError, ClassServerError}

// Filter selects deliveries. Its zero members select all; the zero Filter selects every
// delivery.
type Filter struct {
	Status Status
	// Event is a name, or a pattern as in a webhook's Events.
	Event string
	// Entity is compared case-insensitively, Key exactly.
	Entity     string
	PrimaryKey *int32
	Key        string
	// Class and Error are those of the last attempt.
	Class StatusClass
	Error failure.Kind
}

// Zero reports whether the filter selects every delivery.
func (f Filter) Zero() bool { return f == Filter{} }

// Matches reports whether the filter selects the delivery.
func (f Filter) Matches(d Row) bool {
	switch {
	case f.Status != "" && f.Status != d.Status,
		f.PrimaryKey != nil && *f.PrimaryKey != d.PrimaryKey,
		f.Key != "" && rowName(f.Key, maxRowKey) != d.EventKey,
		f.Event != "" && !matchesName(f.Event, d.EventName),
		f.Entity != "" && !d.isEntity(f.Entity):
		return false
	case f.Class == "" && f.Error == "":
		return true
	case len(d.Attempts) == 0:
		return false
	}
	last := d.Attempts[len(d.Attempts)-1]
	return (f.Class == "" || f.Class == last.class()) && (f.Error == "" || f.Error == last.Error)
}

// matchesName reports whether an event's name is, or begins as, a pattern says.
func matchesName(pattern, name string) bool {
	if pattern == "*" {
		return true
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
	}
	return strings.EqualFold(pattern, name)
}

func (a Attempt) class() StatusClass {
	switch a.StatusCode / 100 {
	case 0:
		return ClassNone
	case 2:
		return ClassSuccess
	case 3:
		return ClassRedirect
	case 4:
		return ClassClientError
	case 5:
		return ClassServerError
	}
	return ""
}

// FailureResponse is the response of a failed attempt, which may be longer than a row
// has room for.
type FailureResponse struct {
	Key
	// Number and At are those of the attempt. At orders the responses of a delivery.
	Number    int
	At        time.Time
	Excerpt   string // at most MaxExcerpt bytes
	ExpiresAt time.Time
}

// Of reports whether the response is that of the attempt.
func (r FailureResponse) Of(a Attempt) bool {
	return r.Excerpt != "" && r.Number == a.Number && r.At.Equal(a.At)
}
