// Package sqs is the delivery queue on an SQS standard queue, made fair by a
// message group for each webhook, and the reader of its dead-letter queue.
//
// [Queue] sends and moves visibility; [DeadLetters] receives, removes and
// buries. The package refuses to receive from the delivery queue (the event
// source mapping does), to repeat what was not stored (its callers decide), and
// to know what a message means.
package sqs
