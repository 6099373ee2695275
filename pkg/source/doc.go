// Package source describes the ways in that administrators configure with data:
// an EventBridge bus, the stream of a table, a relay of another service's
// webhooks. A [Source] says which records are its own and what events they
// become. Mapping is a pure function, so that a dry run, an invocation and a
// replay of failed records agree.
//
// The package refuses to receive anything, to verify a signature, to know AWS or
// HTTP, and to store events: pkg/ingest does that. A mapping never fails. It
// returns an event, or the [Reason] why there is none.
package source
