// Package sqs implements the delivery queue on two SQS standard queues, with a
// message group per tenant for fairness, and reads their dead-letter queue.
//
// [Queue] sends messages and changes their visibility; [DeadLetters] receives,
// removes and buries. The package refuses to receive from the delivery queue
// (the event source mapping does that), to retry what was not stored (its
// callers decide), and to interpret messages.
package sqs
