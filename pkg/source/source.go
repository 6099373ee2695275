package source

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Kind says where a source's records come from.
type Kind string

// The kinds.
const (
	KindBus   Kind = "bus"   // an EventBridge bus
	KindTable Kind = "table" // the stream of a DynamoDB table
	KindRelay Kind = "relay" // POST /in/v1/{source}
)

// Source is one way in: a versioned document. Exactly the member of its Kind is
// set.
type Source struct {
	// Name identifies the source: 1 to 63 characters of a-z 0-9 -, beginning with
	// a letter. It never changes.
	Name string
	Kind Kind
	// Tenant has all events of the source. It never changes. Only a table with a
	// TenantAttribute leaves it empty.
	Tenant webhook.Tenant
	Bus    *Bus
	Table  *Table
	Relay  *Relay
	// ExpectWithin is how long the source may send nothing before it counts as
	// silent. Zero: any time.
	ExpectWithin time.Duration
	// Revision counts the changes, from 1. Created is when records begin to
	// count: one stamped before is skipped.
	Revision         int64
	Created, Updated time.Time
	UpdatedBy        string
}

// Bus matches and maps events of an EventBridge bus.
type Bus struct {
	// Sources and DetailTypes are the exact values of `source` and `detail-type`
	// that match. Empty: any.
	Sources, DetailTypes []string
	// Event is the event's name. Empty: the detail-type in lower case, each run of
	// characters other than letters, digits, _ and - replaced by one dot.
	Event string
	// Entity of the events. Empty: the name before its last dot.
	Entity string
	// Key is the dotted path to the key within `detail`: "order.id". An integer
	// of 32 bits becomes PrimaryKey, anything else Key. Empty: no key.
	Key string
	// ChangedBy is the dotted path to an integer of 32 bits. Empty: 0.
	ChangedBy string
	// Fields lists the top-level members of `detail` that become FieldValues.
	// Empty: all.
	Fields []string
}

// Table maps the changes of a DynamoDB table. An insert becomes
// <entity>.created, a change <entity>.changed, a removal <entity>.deleted.
type Table struct {
	// Table is the ARN of the table, without the stream's part.
	Table string
	// Entity begins the events' names.
	Entity string
	// Fields lists the attributes that may leave the table. Others appear in no
	// event, and a change of others alone makes no event.
	Fields []string
	// Rename maps an attribute to the name that it has in events.
	Rename map[string]string
	// Key lists the attributes that make the key, joined with "#" if several.
	// One integer of 32 bits becomes PrimaryKey, anything else Key. Empty: no
	// key.
	Key []string
	// TenantAttribute holds the tenant, which must be one of Tenants. Empty: the
	// source's Tenant.
	TenantAttribute string
	Tenants         []webhook.Tenant
	// ChangedBy is an attribute with an integer of 32 bits. Empty: 0.
	ChangedBy string
	// Previous lists those of Fields whose previous values are kept.
	Previous []string
	// Expired makes a removal by TTL the event <entity>.expired. Otherwise it is
	// skipped.
	Expired bool
}

// Protocol is how a relay's sender signs and what its bodies look like.
type Protocol string

// The protocols.
const (
	ProtocolSuperOffice Protocol = "superoffice"
	ProtocolStandard    Protocol = "standard" // Standard Webhooks
)

// Relay accepts the webhooks of another service.
type Relay struct {
	Protocol Protocol
	// Context is the only ContextIdentifier that is accepted; for Standard
	// Webhooks it is empty.
	Context string
	// Secret names the version of the document whose secrets verify.
	Secret webhook.SecretRef
	// SecretOverlap is how long a replaced secret goes on verifying. nil:
	// webhook.DefaultSecretOverlap.
	SecretOverlap *time.Duration
	// Rotations counts the versions that RotationDay (UTC, "2006-01-02") brought.
	Rotations   int
	RotationDay string
}
