// Package dispatch turns stored events into deliveries: it finds the webhooks
// that want an event, makes the attempts, writes down what came of them, and
// hands on what is left to do.
//
// There are two ways in. [Engine.Stream] takes a batch of the Events table's
// change feed and makes first attempts. [Engine.Queue] takes a batch of the
// delivery queue and makes all others. Both answer with what they could not
// take responsibility for, and nothing else: a target that fails is never a
// reason to fail a record.
//
// The package decides when and whether; it does not know how a POST is made,
// how anything is stored or what AWS looks like. It starts nothing that outlives
// a call: when Stream or Queue returns, every goroutine of it has ended.
package dispatch
