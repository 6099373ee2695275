// Package webhook is the domain of Posthaste: its nouns, its rules and the
// contracts that stores, queues and secret stores fulfil.
//
// A [Webhook] is a tenant's wish to be told of events at a target URL. An
// [Event] is something that happened. A [Delivery] is one event on its way to
// one webhook; it runs in rounds, and each round makes attempts, each of which
// is one HTTP POST (a [Post], whose outcome is a [Result]).
//
// The package imports leaves and the standard library without net/http. It reads
// no clock, draws no random number and does no input or output. The caller
// passes in the time, ids and randomness. The package refuses to know how a thing
// is stored, sent or shown: tables, queues and wire formats are the business of
// the packages that implement its contracts.
package webhook
