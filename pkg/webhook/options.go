package webhook

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Options are the settings of a webhook beyond SuperOffice's entity. Zero values
// mean the deployment's default.
type Options struct {
	Policy        Policy
	Timeout       time.Duration  // of one attempt, 1-100 s
	SecretOverlap *time.Duration // how long the previous secret still signs after a rotation; nil: 24 h
	Format        Format
	// Include names members of an event that a body otherwise omits, in any order:
	// IncludePrevious, and for CloudEvents IncludeChanges and IncludeValues.
	Include []Include
	// Filter is a pattern in EventBridge's syntax, compact: an event that it does not
	// match is not sent. Empty: none. Package filter has the rules.
	Filter json.RawMessage `json:",omitzero"`
	// OnlyFields and IgnoreFields name members: of an event that names Changes, at
	// least one must be in OnlyFields, unless that is empty, and not in IgnoreFields.
	// Names ignore case.
	OnlyFields, IgnoreFields []string
	// SkipOwn are AssociateIds: the events that they caused are not sent.
	SkipOwn []int32
	// Fields names the members of an event's data that bodies have: see Event.Only.
	// Empty: all.
	Fields []string
	// Template is a JSON document with placeholders, compact, that replaces the
	// Format's body. Empty: none. Package template has the rules.
	Template json.RawMessage `json:",omitzero"`
}

// Include is a member of events that bodies contain only if the webhook requests it.
type Include string

// The members to include.
const (
	IncludePrevious Include = "Previous" // all formats but data
	IncludeChanges  Include = "Changes"  // cloudevents; superoffice and standard always have them
	IncludeValues   Include = "Values"   // cloudevents; superoffice and standard always have them
)

func includes() []Include { return []Include{IncludePrevious, IncludeChanges, IncludeValues} }

// ParseInclude returns the member that a case-insensitive name means. An unknown
// name is returned unchanged; Options.Validate refuses it.
func ParseInclude(name string) Include {
	for _, member := range includes() {
		if strings.EqualFold(name, string(member)) {
			return member
		}
	}
	return Include(name)
}

// Includes reports whether the option Include names the member.
func (o Options) Includes(member Include) bool { return slices.Contains(o.Include, member) }

// AttemptTimeout returns the time limit of one attempt.
func (o Options) AttemptTimeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return DefaultAttemptTimeout
}

const (
	// maxTimeout is the largest value of the option Timeout; the smallest is one
	// second.
	maxTimeout = 100 * time.Second
	// DefaultSecretOverlap is how long a replaced secret still signs if the option
	// is not set.
	DefaultSecretOverlap = 24 * time.Hour
	// maxSecretOverlap is the largest value of the option SecretOverlap.
	maxSecretOverlap = 7 * 24 * time.Hour
)

// Format is the format of a webhook's bodies. The empty Format is SuperOffice's.
type Format string

// The formats.
const (
	FormatSuperOffice Format = "superoffice"
	FormatStandard    Format = "standard"    // Standard Webhooks: type, timestamp, data
	FormatCloudEvents Format = "cloudevents" // CloudEvents 1.0, structured JSON
	FormatData        Format = "data"        // the event's data alone
)

// formats returns all formats, the default first.
func formats() []Format {
	return []Format{FormatSuperOffice, FormatStandard, FormatCloudEvents, FormatData}
}

// Valid reports whether the format is listed; the empty one is not.
func (f Format) valid() bool { return slices.Contains(formats(), f) }

// Validate reports everything that is wrong with the options as a
// *ValidationError, or nil.
func (o Options) Validate() error {
	var f Faults
	if o.Policy != "" && !o.Policy.valid() {
		f.Add("Policy", "must be %s or %s", PolicyDurable, PolicySuperOffice)
	}
	if o.Timeout != 0 && (o.Timeout < time.Second || o.Timeout > maxTimeout) {
		f.Add("TimeoutSeconds", "must be from 1 to %.0f", maxTimeout.Seconds())
	}
	if o.SecretOverlap != nil && (*o.SecretOverlap < 0 || *o.SecretOverlap > maxSecretOverlap) {
		f.Add("SecretOverlapSeconds", "must be from 0 to %.0f", maxSecretOverlap.Seconds())
	}
	if o.Format != "" && !o.Format.valid() {
		f.Add("Format", "must be one of %s, %s, %s, %s", FormatSuperOffice, FormatStandard, FormatCloudEvents, FormatData)
	}
	for i, member := range o.Include {
		if !slices.Contains(includes(), member) {
			f.AddText("Include", "Include[%d] must be one of %s, %s, %s", i, IncludePrevious, IncludeChanges, IncludeValues)
			break
		}
		if slices.Contains(o.Include[:i], member) {
			f.Add("Include", "must not list %s twice", member)
		}
	}
	f.selection(o)
	f.template(o)
	return f.Err()
}
