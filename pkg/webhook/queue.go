package webhook

import (
	"context"
	"time"
)

// Queue is the delivery queue: durable, at least once, in no particular order,
// fair between groups.
//
// Receiving is not in the contract: on AWS the event source mapping receives
// and hands batches to a function, and the embedded queue's pump plays that
// part.
type Queue interface {
	// Send stores messages durably. It returns the indexes of those that were
	// not stored, in ascending order; the caller owns these still. An error
	// means that nothing is known about any of them: a caller that repeats
	// the call may send twice, and consumers must bear that. Any number of
	// messages is fine; none is no call.
	Send(ctx context.Context, messages []Outgoing) (failed []int, err error)
}

// SendAll sends messages. An error says that some may not have been sent.
func SendAll(ctx context.Context, queue Queue, messages []Outgoing) error {
	if len(messages) == 0 {
		return nil
	}
	failed, err := queue.Send(ctx, messages)
	if err == nil && len(failed) > 0 {
		err = ErrUnavailable
	}
	return err
}

// MaxDelay is as far as a message can be delayed.
const MaxDelay = 15 * time.Minute

// Outgoing is a message to send.
type Outgoing struct {
	Message Message
	// Delay before anyone receives it: 0 to MaxDelay, to the second, rounded
	// up. A longer one is cut to MaxDelay.
	Delay time.Duration
}

// Received is a message as a consumer gets it.
type Received struct {
	// ID names this message in the batch's answer.
	ID string
	// Receipt is what a consumer needs to move this receipt's visibility.
	Receipt  string
	Receives int // how often it was received, this time included
	Message  Message
	// Undecodable holds the body of a message that could not be read; then
	// Message is zero.
	Undecodable string
}

// Visibility moves the time at which a received message that is not
// acknowledged becomes visible again.
type Visibility interface {
	// Postpone makes the message visible again after the delay (0 to 12 h). A
	// receipt that is no longer valid is not an error: the message has gone on.
	Postpone(ctx context.Context, receipt string, delay time.Duration) error
}
