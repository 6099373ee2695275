package webhook

import (
	"encoding/json"
	"fmt"
	"time"
)

// State says whether a webhook receives events. Its numbers are those of the wire.
type State int8

// The states.
const (
	StateUnknown       State = 0 // not set; never stored
	StateActive        State = 1
	StateStopped       State = 2 // by its owner
	StateTooManyErrors State = 3 // by the service, after failures or a 410
)

func (s State) String() string {
	switch s {
	case StateActive:
		return "Active"
	case StateStopped:
		return "Stopped"
	case StateTooManyErrors:
		return "TooManyErrors"
	case StateUnknown:
		return "Unknown"
	}
	return fmt.Sprintf("State(%d)", int8(s))
}

// Header is one HTTP header that a webhook adds to its POSTs. If Secret is set, the
// value is in the secret store and Value is empty.
type Header struct {
	Name   string
	Value  string
	Secret bool
}

// Webhook is a tenant's subscription: which events, to which target, in which state.
// It holds no secrets, so it may be logged field by field.
type Webhook struct {
	Tenant Tenant
	ID     int32 // counted per tenant from 1

	Name      string
	Events    []string // patterns as given; compared case-insensitively
	TargetURL string
	State     State
	Type      string // plugin name as given; "webhook" by default
	Headers   []Header
	// Properties is one JSON object, compact, or empty. Its members are merged
	// into every body after the standard keys, in their order.
	Properties json.RawMessage

	Registered   time.Time // UTC
	RegisteredBy Associate
	Updated      time.Time // UTC
	UpdatedBy    Associate

	ErrorsEmail     string
	ErrorEmails     []string
	ErrorAssociates json.RawMessage // JSON array as given, or empty
	Description     string
	NotifyVia       int32 // SuperOffice's numbers: 0 None, 1 Email, 2 InApp
	NotifyWhen      int32 // bit flags: 1 FirstFailure, 2 Disabling

	// App registered the webhook. Empty: no app, and only principals without an app
	// see the webhook.
	App     string
	Options Options
	Secret  SecretRef
	// SecretSince is when the signing secret was set, and PreviousSince when the one
	// before it was. Zero: there is no such secret, or it was set before this was
	// recorded.
	SecretSince   time.Time
	PreviousSince time.Time
	// Rotations counts the versions of the secret created on RotationDay
	// (YYYY-MM-DD, UTC).
	Rotations   int
	RotationDay string

	// Revision counts the changes, from 1. Every write is conditional on it.
	Revision int64
	// Activation counts the changes to Active, from 1 if created active, and
	// ActivatedAt is the time of the last one. A delivery belongs to the activation
	// under which it was created.
	Activation  int64
	ActivatedAt time.Time
}

// PointerKeys returns the folded patterns of the webhook, each once, in the order
// given.
func (w Webhook) PointerKeys() []string {
	seen := make(map[string]bool, len(w.Events))
	keys := make([]string, 0, len(w.Events))
	for _, pattern := range w.Events {
		if key := foldEventName(pattern); !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// headerNamed finds a header, comparing names as [sameHeader] does.
func (w Webhook) headerNamed(name string) (Header, bool) {
	for _, h := range w.Headers {
		if sameHeader(h.Name, name) {
			return h, true
		}
	}
	return Header{}, false
}
