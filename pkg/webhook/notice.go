package webhook

import (
	"context"
	"time"
)

// Notices passes operational notices on to the operator of a deployment. It is
// a contract: EventBridge implements it in AWS, a logger in the local run.
type Notices interface {
	// Notify passes on up to MaxNotices notices. An error means that any of them
	// may not have been passed on; the caller may call again with all of them.
	Notify(ctx context.Context, notices []Notice) error
}

// MaxNotices is the most notices of one call of Notify.
const MaxNotices = 10

// NoticeKind says what a notice is about. The values are part of the API.
type NoticeKind string

// The kinds. Failing, Recovered and Disabled are raised once for each change of
// a webhook. DeadLetter and those of sources describe a condition: they are
// raised for as long as it lasts, and repeated once an hour.
const (
	NoticeFailing       NoticeKind = "Deliveries Failing"   // the breaker of a webhook opened
	NoticeRecovered     NoticeKind = "Deliveries Recovered" // a success closed it
	NoticeDisabled      NoticeKind = "Webhook Disabled"     // for its errors; never by a caller
	NoticeDeadLetter    NoticeKind = "Dead Letter"          // the dead-letter queue has messages
	NoticeSourceFailing NoticeKind = "Source Failing"       // records of a source become no events
	NoticeSourceSilent  NoticeKind = "Source Silent"        // a source sends less often than expected
)

// repeats reports whether the kind describes a condition.
func (k NoticeKind) repeats() bool {
	return k != NoticeFailing && k != NoticeRecovered && k != NoticeDisabled
}

// NoticeError is the class of the error that a notice is about: an AttemptError
// for webhooks, one of the following for dead letters, and the class of the fault
// for sources. It never holds a value of an event, a response or a header.
type NoticeError string

// The errors of dead letters.
const (
	NoticeUnreadable NoticeError = "unreadable"
	NoticeReceived   NoticeError = "received_too_often"
)

// Notice tells an operator what needs attention. It holds nothing secret: of a
// target only its host, of an error only its class.
type Notice struct {
	Kind NoticeKind
	// At is when the notice was raised. Since is when the incident began; it is
	// the same in all notices of one incident, and zero if unknown.
	At, Since time.Time
	// Tenant is empty if the incident concerns no tenant alone.
	Tenant Tenant
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
	Error  NoticeError
	Status int
}

// Advice returns what to do about the notice, in one or two sentences. For the
// error of an attempt it is the sentence that LastError and the log have.
func (n Notice) Advice() string {
	switch n.Kind {
	case NoticeRecovered:
		return "Nothing: deliveries that waited are being sent."
	case NoticeDeadLetter:
		if n.Error == NoticeReceived {
			return "Nothing if it happens once: the sweep has sent the messages again. Otherwise check the log of RetryFunction for errors."
		}
		return "Receive the message from the dead-letter queue without deleting it and inspect its body."
	case NoticeSourceFailing:
		return "Compare the source's counts and last fault with its mapping: GET /admin/v1/Sources/{name}."
	case NoticeSourceSilent:
		return "Check that the sender still runs, and that its rule, stream or webhook still leads here."
	case NoticeDisabled:
		return attemptAdvice(n.Error) + " Then set the webhook's State to Active."
	case NoticeFailing:
	}
	return attemptAdvice(n.Error)
}

// attemptAdvice returns the advice for an attempt's error; see advice.
func attemptAdvice(e NoticeError) string {
	if sentence, ok := advice[failure{AttemptError(e), ""}]; ok {
		return sentence
	}
	return advice[failure{AttemptInternal, ""}]
}
