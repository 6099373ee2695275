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

// Advice returns what to do about the notice, in one or two sentences.
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
		return attemptAdvice(AttemptError(n.Error), n.Status) + " Then set the webhook's State to Active."
	case NoticeFailing:
	}
	return attemptAdvice(AttemptError(n.Error), n.Status)
}

// attemptAdvice returns what to do about an attempt's error.
func attemptAdvice(e AttemptError, status int) string {
	switch e {
	case AttemptDNS:
		return "The host of the target does not resolve. Correct TargetUrl, or the DNS of the target."
	case AttemptRefused:
		return "The target refuses connections. Start it, or open its port."
	case AttemptReset:
		return "The target ends connections without a response. Check it and the proxies in front of it."
	case AttemptTLS:
		return "The TLS handshake fails. Check the certificate of the target: its validity, its names and its issuer."
	case AttemptTimeout, AttemptFast:
		return "The target responds too late. Have it respond before it does the work, or raise TimeoutSeconds."
	case AttemptBlocked:
		return "The target's address is not public. Use a public one, or list its network in ALLOWED_TARGET_CIDRS."
	case AttemptRedirect:
		return "The target redirects, and redirects are not followed. Set TargetUrl to the final address."
	case AttemptStatus:
		return statusAdvice(status)
	case AttemptProtocol, AttemptTooLarge:
		return "The target does not speak HTTP as expected. Check that TargetUrl leads to the receiver."
	case AttemptSecret:
		return "The secret of the webhook is gone. Set a new one."
	case AttemptAborted:
		return "The receiver asked for no further attempt. Check its log."
	case AttemptOK, AttemptInternal:
	}
	return "Check the webhook's LastError, and the log of RetryFunction."
}

func statusAdvice(status int) string {
	switch {
	case status == 401 || status == 403:
		return "The receiver does not accept the signature or the headers. Check the secret that it verifies with."
	case status == 404 || status == 405:
		return "The receiver does not know the path. Correct TargetUrl."
	case status == 410:
		return "The receiver asked for no more events. Correct TargetUrl, or delete the webhook."
	case status == 429:
		return "The receiver limits the rate. Raise its limit, or ask for fewer events."
	case status >= 500:
		return "The receiver fails. Check its log."
	}
	return "The receiver does not accept the events. Check the webhook's LastError."
}
