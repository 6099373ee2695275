// Package webhook is the domain of Posthaste: its types, its rules and the
// contracts that stores, queues and secret stores implement.
//
// A [Webhook] is a tenant's subscription to events, delivered to a target URL. An
// [Event] is something that happened. A [Delivery] is one event on its way to one
// webhook. It runs in rounds; each round makes attempts, and each attempt is one
// HTTP POST (a [Post], whose outcome is a [Result]), or two during the rotation of
// a secret.
//
// The package imports leaves and the standard library except net/http. It does
// not read the clock, draw random numbers, or do input or output: the caller
// passes in the time, ids and randomness. It refuses to know how anything is
// stored, sent or shown. Tables, queues and wire formats belong to the packages
// that implement its contracts.
package webhook
