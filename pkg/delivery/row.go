package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Most rows are written once, after a first attempt that succeeded. That write must
// cost one unit of DynamoDB's write capacity, which covers 1 KiB. So the names in a row
// are bounded, and the excerpt of the response takes what they leave.
const (
	rowUnit = 1024
	// rowRest is at least the size of everything in a delivered row that is not
	// counted below.
	rowRest = 280
	// rowAttempt is at least the size of an attempt without its error.
	rowAttempt = 30
	// rowPending is at least the size of the lease and the times of a pending row:
	// a lease does not move a row to a second unit.
	rowPending = 110

	maxStoredResponse = 512 // bytes
	maxRowEntity      = 128
	maxRowKey         = 256
)

// rowRoom returns how many bytes of a response the row has room for: at most 512.
func (d *Row) rowRoom() int {
	room := rowUnit - rowRest - len(d.Tenant) - len(d.EventName) - len(d.Entity) - len(d.EventKey) - len(d.Replay) - len(d.Reason)
	for _, a := range d.Attempts {
		room -= rowAttempt + len(a.Error) + len(a.Detail)
	}
	if d.Status == StatusPending {
		room -= rowPending
	}
	return max(0, min(room, maxStoredResponse))
}

// rowName returns the form in which a row keeps a name: the name itself, or if it has
// more than limit bytes its beginning, "~" and a hash, so that different names stay
// different.
func rowName(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	mark := "~" + hex.EncodeToString(sum[:8])
	return webhook.Truncate(name, limit-len(mark)) + mark
}

// NewSeed returns what the row of an event's delivery starts with. replay is the job
// that starts the round, fast the attempt that was cut short in the fast lane; both
// may be zero.
func NewSeed(e webhook.Event, replay string, fast *Attempt, expiresAt time.Time) Seed {
	s := Seed{
		EventName: e.Name, PrimaryKey: e.PrimaryKey, EventKey: rowName(e.Key, maxRowKey),
		Replay: replay, Fast: fast, ExpiresAt: expiresAt,
	}
	if entity := e.Entity(); entity != (webhook.Event{Name: e.Name}).Entity() {
		s.Entity = rowName(entity, maxRowEntity)
	}
	return s
}

// ShownEntity returns the entity of the delivery's event: the stored one, or that of the
// event's name. It is empty for state events.
func (d Row) ShownEntity() string {
	if d.Entity != "" {
		return d.Entity
	}
	return webhook.Event{Name: d.EventName}.Entity()
}

// isEntity reports whether the delivery's event has this entity. Entities are compared
// case-insensitively, as names of events are.
func (d Row) isEntity(entity string) bool {
	return strings.EqualFold(d.ShownEntity(), rowName(entity, maxRowEntity))
}
