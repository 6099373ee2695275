// Package sweep is what happens every minute: it sends on the deliveries whose
// time has come, empties the dead-letter queue back into rows, and clears up
// what a crash left behind.
//
// Nothing here is the only way for anything: a sweep that is late, doubled or
// killed half way costs time, never a delivery. The package makes no POST and
// matches no event.
package sweep
