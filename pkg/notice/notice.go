// Package notice tells the operator of a deployment what needs attention: a
// webhook that fails or was disabled, a dead letter, a source that is silent. The
// parts of the service raise notices; a [Notifier] collects those of a process and
// passes them on when an invocation has done its work.
//
// The package refuses to know where notices go, to hold anything secret, and to
// fail or delay a delivery.
package notice

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Notices passes operational notices on to the operator of a deployment. It is
// a contract: EventBridge implements it in AWS, a logger in the local run.
type Notices interface {
	// Notify passes on up to MaxBatch notices. An error means that any of them
	// may not have been passed on; the caller may call again with all of them.
	Notify(ctx context.Context, notices []Notice) error
}

// MaxBatch is the most notices of one call of Notify.
const MaxBatch = 10

// Kind says what a notice is about. The values are part of the API.
type Kind string

// The kinds. Failing, Recovered and Disabled are raised once for each change of
// a webhook. DeadLetter and those of sources describe a condition: they are
// raised for as long as it lasts, and repeated once an hour.
const (
	Failing       Kind = "Deliveries Failing"   // the breaker of a webhook opened
	Recovered     Kind = "Deliveries Recovered" // a success closed it
	Disabled      Kind = "Webhook Disabled"     // for its errors; never by a caller
	DeadLetter    Kind = "Dead Letter"          // the dead-letter queue has messages
	SourceFailing Kind = "Source Failing"       // records of a source become no events
	SourceSilent  Kind = "Source Silent"        // a source sends less often than expected
)

// repeats reports whether the kind describes a condition.
func (k Kind) repeats() bool {
	return k != Failing && k != Recovered && k != Disabled
}

// Class is the class of the error that a notice is about: a failure.Kind
// for webhooks, one of the following for dead letters, and the class of the fault
// for sources. It never holds a value of an event, a response or a header.
type Class string

// The errors of dead letters.
const (
	Unreadable Class = "unreadable"
	Received   Class = "received_too_often"
)

// Notice tells an operator what needs attention. It holds nothing secret: of a
// target only its host, of an error only its class.
type Notice struct {
	Kind Kind
	// At is when the notice was raised. Since is when the incident began; it is
	// the same in all notices of one incident, and zero if unknown.
	At, Since time.Time
	// Tenant is empty if the incident concerns no tenant alone.
	Tenant webhook.Tenant
	// Webhook, Name and Host describe the webhook; zero for other kinds.
	Webhook int32
	Name    string
	Host    string
	// Source names the source; empty for other kinds.
	Source string
	// Count is the number of failed attempts in a row as health counts them, of
	// messages, or of records. Zero if nothing was counted.
	Count int64
	// Error is the class of the last error, Status the status of the response; 0
	// without one.
	Error  Class
	Status int
}

// Advice returns what to do about the notice, in one or two sentences. For the
// error of an attempt it is the sentence that LastError and the log have.
func (n Notice) Advice() string {
	switch n.Kind {
	case Recovered:
		return "Nothing: deliveries that waited are being sent."
	case DeadLetter:
		if n.Error == Received {
			return "Nothing if it happens once: the sweep has sent the messages again. Otherwise check the log of RetryFunction for errors."
		}
		return "Receive the message from the dead-letter queue without deleting it and inspect its body."
	case SourceFailing:
		return "Compare the source's counts and last fault with its mapping: GET /admin/v1/Sources/{name}."
	case SourceSilent:
		return "Check that the sender still runs, and that its rule, stream or webhook still leads here."
	case Disabled:
		return attemptAdvice(n.Error) + " Then set the webhook's State to Active."
	case Failing:
	}
	return attemptAdvice(n.Error)
}

// attemptAdvice returns the advice for an attempt's error.
func attemptAdvice(e Class) string {
	if sentence := failure.Kind(e).Advice(""); sentence != "" {
		return sentence
	}
	return failure.Internal.Advice("")
}
