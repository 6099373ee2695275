// Package webhook is the domain of Posthaste: webhooks, events, secrets and the health
// of targets, their rules, and the contracts that their stores implement. Package
// delivery has what happens between an event and a webhook.
//
// A [Webhook] is a tenant's subscription to events, delivered to a target URL. An
// [Event] is something that happened. An attempt to deliver one to the other is one
// HTTP POST (a [Post], whose outcome is a [Result]), or two during the rotation of a
// secret; so is the test of a target before a webhook is saved.
//
// The package imports leaves and the standard library except net/http. It does
// not read the clock, draw random numbers, or do input or output: the caller
// passes in the time, ids and randomness. It refuses to know how anything is
// stored, sent or shown. Tables and wire formats belong to the packages
// that implement its contracts.
package webhook
