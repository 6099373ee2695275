// Package sweep is what happens every minute: it sends on the deliveries whose
// time has come, empties the dead-letter queue back into rows, clears up what a
// crash left behind, and does slices of the jobs that run.
//
// Its stages run side by side, each under a deadline of its own, so that a
// backlog of one of them takes no other's time. An item that has a fault is
// passed over, counted, and told of once; it is tried again in the next minute.
//
// Nothing here is the only way for anything: a sweep that is late, doubled or
// killed half way costs time, never a delivery. The package makes no POST and
// matches no event.
package sweep
