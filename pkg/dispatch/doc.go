// Package dispatch turns stored events into deliveries: it finds the webhooks
// that match an event, makes the attempts, records the outcomes, and enqueues
// what is left to do.
//
// There are two entry points. [Engine.Stream] takes a batch of the Events table's
// change feed and makes first attempts. [Engine.Queue] takes a batch of the
// delivery queue and makes all others. Both return what they could not take
// responsibility for, and nothing else: a failing target never fails a record.
//
// The package decides whether and when an attempt is made. It refuses to know how
// a POST is made, how anything is stored, and what AWS looks like. It starts
// nothing that outlives a call: when Stream or Queue returns, all of its
// goroutines have ended.
package dispatch
