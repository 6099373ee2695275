// Package custody changes where webhooks' secrets are kept: an [Administration] begins
// jobs, and a [Mover] does their slices, one webhook at a time. A move takes secrets
// from one store to the other; a rotation adds a root key and seals secrets again under
// it.
//
// The package decides nothing about a secret's value, and never replaces a webhook that
// changed meanwhile: it comes to that webhook again in the next pass. It refuses to know
// what the two stores are made of, starts no goroutine and keeps no schedule.
package custody
