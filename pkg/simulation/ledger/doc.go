// Package ledger says what must be true of deliveries, from three sources alone:
// what callers told the API and when that took effect, what targets saw and how
// they responded, and when processes were given the responses. The simulation
// reports these facts and compares.
//
// It is written from the documentation of the product and refuses to import any of
// it: a rule that the product gets wrong must not be wrong here for the same reason.
// For tests only.
package ledger
