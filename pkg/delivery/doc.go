// Package delivery is the part of the domain between an event and a webhook.
//
// A delivery is one event on its way to one webhook, stored as a [Row]. It runs in
// rounds; each round makes attempts. The row protocol (protocol.go) says which write
// of a row is allowed when, so that consumers that die, freeze or repeat themselves
// neither lose a delivery nor send it twice without need. A [Message] on the [Queue]
// requests an attempt. [LaneQuestion], [Message.Gate], [Message.Verdict] and [Decide]
// are the decisions of the delivery path, as pure functions: dispatch acts on them and
// explanations repeat them.
//
// The package does not read the clock, draw random numbers, or do input or output. It
// refuses to know how rows are stored and messages sent: that belongs to the packages
// that implement its contracts, [Store], [Queue] and [Visibility].
package delivery
