package source

import "time"

// Message is a message of the queue that a bus sends its events to.
type Message struct {
	ID   string
	Body string // an event as EventBridge delivers it
	// Sent is when the bus sent it, the same each time the message is received.
	// Zero: unknown.
	Sent time.Time
}
