// Package statistics counts what became of a webhook's attempts, hour by hour, and shows
// it to the webhook's owner.
//
// An [Hour] is one item, which [Store] only adds to. Its percentiles come from a
// [Histogram] of fixed buckets, exact within 20 %. A [Reader] returns the last day of
// webhooks, and finds those that fail now.
//
// The package refuses to decide anything: dispatch reads health, not statistics, and
// what is counted twice or lost with a process is not repaired.
package statistics
