// Package custody changes where the secrets of webhooks and of sources are kept: an
// [Administration] begins jobs, and a [Mover] does their slices, one secret at a time. A
// move takes secrets from one store to the other; a rotation adds a root key and seals
// secrets again under it.
//
// The package decides nothing about a secret's value, and never replaces a webhook or a
// source that changed meanwhile: it comes to it again in the next pass. It refuses to
// know what the two stores are made of, starts no goroutine and keeps no schedule.
package custody
