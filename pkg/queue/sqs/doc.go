// Package sqs implements the delivery queue on an SQS standard queue, with a
// message group per webhook for fairness, and reads its dead-letter queue.
//
// [Queue] sends messages and changes their visibility; [DeadLetters] receives,
// removes and buries. The package refuses to receive from the delivery queue
// (the event source mapping does that), to retry what was not stored (its
// callers decide), and to interpret messages.
package sqs
