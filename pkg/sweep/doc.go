// Package sweep does the service's work of each minute: it sends messages for due
// deliveries, turns dead letters back into rows, cleans up after crashes, and
// runs slices of jobs.
//
// The stages run concurrently, each under its own deadline, so a backlog in one
// does not delay the others. A faulty item is skipped, counted and logged once;
// the next run tries it again.
//
// No delivery depends on a sweep being on time: one that is late, doubled or
// killed half way costs time, never a delivery. The package makes no POSTs and
// matches no events.
package sweep
