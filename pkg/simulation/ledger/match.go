package ledger

import (
	"strings"
	"time"
)

// Event is an event as it was told to the API, or raised by a change of a webhook.
type Event struct {
	Tenant, ID, Name string
	Key              int32
	Data             string // one JSON object, or empty
	By               int32  // the associate who caused it
	// Hops is how many receivers passed the event on, and the service: 0 for one
	// about a webhook.
	Hops int
	// About is the webhook whose change of state the event reports; nil for others.
	About *Webhook
	// Content is what an event of a source says; nil for others.
	Content *Content
	// From and Stored are the earliest time at which it can have been accepted and
	// the time from which it was stored.
	From, Stored time.Time
}

// maxPrefix is how many segments the prefix of a pattern may have.
const maxPrefix = 6

// Grace is how much older than a webhook's activation an event may be.
const Grace = 60 * time.Second

// clocks is by how much the clocks of two processes may differ.
const clocks = 2 * time.Second

// Fits reports whether a pattern matches the name of an event: the name itself, "*",
// or a prefix of up to six segments and ".*". An event about a webhook has two
// names, webhook7.errors and webhook.errors, and no pattern with a star matches it.
func Fits(pattern, name string) bool {
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	if pattern == name {
		return true
	}
	if kind, ok := aboutWebhook(name); ok {
		return pattern == "webhook."+kind
	}
	if pattern == "*" {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, ".*")
	return ok && strings.HasPrefix(name, prefix+".") && strings.Count(prefix, ".") < maxPrefix
}

// aboutWebhook returns the kind of an event about a webhook: errors for
// webhook7.errors.
func aboutWebhook(name string) (kind string, ok bool) {
	rest, ok := strings.CutPrefix(name, "webhook")
	if !ok {
		return "", false
	}
	digits := strings.TrimLeft(rest, "0123456789")
	kind, ok = strings.CutPrefix(digits, ".")
	return kind, ok && len(digits) < len(rest) && kind != ""
}

// Wants reports whether a version is to get an event that it is told of at that
// time: it is Active, one of its patterns fits, it may see the event and was not
// activated more than a minute after the event was accepted.
func (v Version) Wants(e Event) bool {
	return v.Exists && v.State == Active && v.Tenant == e.Tenant && !v.tooLate(e.Stored.Add(clocks)) && v.maySee(e) && v.fits(e)
}

// tooLate reports whether the version was activated more than a minute after an event
// that was accepted at that time.
func (v Version) tooLate(accepted time.Time) bool { return v.ActivatedAt.After(accepted.Add(Grace)) }

// maySee reports whether the event may be shown to the webhook: an app sees only its
// own webhooks.
func (v Version) maySee(e Event) bool { return e.About == nil || v.App == "" || v.App == e.About.App }

// fits reports whether one of the patterns fits.
func (v Version) fits(e Event) bool {
	for _, p := range v.Patterns {
		if Fits(p, e.Name) {
			return true
		}
	}
	return false
}

// MayGet reports whether the webhook may get a POST of the event at that time:
// it wanted the event at some moment since the event was stored.
func (h History) MayGet(e Event, at time.Time) bool {
	for _, v := range h.Between(e.Stored.Add(-ViewLife), at) {
		if v.Wants(e) {
			return true
		}
	}
	return false
}

// MustGet reports whether the webhook must get the event: it wanted it from when it
// was stored until it was dispatched, under one activation.
func (h History) MustGet(e Event, dispatched time.Time) bool {
	versions := h.Between(e.Stored, dispatched)
	if len(versions) == 0 || versions[0].At.After(e.Stored) {
		return false
	}
	for _, v := range versions {
		if !v.Wants(e) || v.Activation != versions[0].Activation {
			return false
		}
	}
	return true
}

// ViewLife is how long after a change attempts may still follow the webhook as it
// was.
const ViewLife = 5 * time.Second
