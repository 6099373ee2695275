package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Queue is the delivery queue: durable, at least once, unordered, fair between
// groups. It has two parts, which do not delay each other: messages that are Slow are
// in the slow lane's.
//
// Receiving is not part of the contract: on AWS the event source mapping receives
// batches and invokes a function, and locally the embedded queue's pump does.
type Queue interface {
	// Send stores messages durably. It returns the indexes of the messages that
	// were not stored, in ascending order; the caller still owns these. After an
	// error each message may or may not be stored: a caller that repeats the call
	// may send duplicates, which consumers must tolerate. Send accepts any number
	// of messages; with none it does nothing.
	Send(ctx context.Context, messages []Outgoing) (failed []int, err error)
}

// SendAll sends messages. After an error some of them may not have been sent.
func SendAll(ctx context.Context, queue Queue, messages []Outgoing) error {
	if len(messages) == 0 {
		return nil
	}
	failed, err := queue.Send(ctx, messages)
	if err == nil && len(failed) > 0 {
		err = webhook.ErrUnavailable
	}
	return err
}

// MaxDelay is the longest delay of a message.
const MaxDelay = 15 * time.Minute

// Outgoing is a message to send.
type Outgoing struct {
	Message Message
	// Delay until the message can be received: 0 to MaxDelay, rounded up to whole
	// seconds. A longer delay is cut to MaxDelay.
	Delay time.Duration
}

// Received is a message as a consumer gets it.
type Received struct {
	// ID names this message in the response to its batch.
	ID string
	// Receipt is what a consumer needs to postpone this message; see Visibility.
	Receipt  string
	Receives int // how often the message was received, including this time
	Message  Message
	// Undecodable holds the body of a message that could not be decoded; then
	// Message is zero. Newer says that a newer version of the service can.
	Undecodable string
	Newer       bool
}

// Decode sets what the body of a received message says.
func (r *Received) Decode(body string) {
	m, err := DecodeMessage(body)
	if err != nil {
		r.Message, r.Undecodable, r.Newer = Message{}, body, errors.Is(err, webhook.ErrNewer)
		return
	}
	r.Message = m
}

// Visibility changes when an unacknowledged message becomes visible again.
type Visibility interface {
	// Postpone makes a received message visible again after the delay (0 to 12 h). It
	// ignores one whose receipt is no longer valid: the message was received again or
	// deleted.
	Postpone(ctx context.Context, r Received, delay time.Duration) error
}
