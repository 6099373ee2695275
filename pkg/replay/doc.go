// Package replay sends past events again.
//
// A [Retry] begins another round of one delivery. [Replays] begin another round of the
// deliveries of a period that a [Plan] selects, or their first round if they have none: a
// job, whose slices a [Worker] does.
//
// A [Redispatch] has the events of a period matched again, so that deliveries that
// were never begun are made. It is a job: the call records the request, and the
// sweep does the work in slices.
//
// The package refuses to make a POST: it begins rounds of deliveries and enqueues
// messages, and the dispatcher makes the attempts as it does for new events. A
// redispatch repeats no delivery that has a row, and skips webhooks activated after the
// event.
package replay
