// Package replay sends past events again.
//
// A [Redispatch] has the events of a period matched again, so that deliveries that
// were never begun are made. It is a job: the call records the request, and the
// sweep does the work in slices.
//
// The package refuses to match an event, to choose a webhook and to make a POST:
// it enqueues events, and the dispatcher decides as it does for new ones. It
// repeats no delivery that has a row, and skips webhooks activated after the event.
package replay
