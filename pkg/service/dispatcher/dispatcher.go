// Package dispatcher builds the delivery engine from the contracts. It refuses to
// depend on a store, a queue or AWS.
package dispatcher

import (
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/service"
)

// New returns the engine. It makes attempts with sender and puts unreadable
// records and messages into dead.
func New(c service.Contracts, sender dispatch.Sender, dead dispatch.DeadLetters) *dispatch.Engine {
	return dispatch.New(dispatch.Config{
		Webhooks: c.Webhooks, Events: c.Events, Deliveries: c.Deliveries, Statistics: c.Statistics, Secrets: c.Secrets, Sender: sender,
		Messages: c.Messages, Visibility: c.Messages, DeadLetters: dead, Notices: c.Notices,
		Logger: c.Logger, Now: c.Now, Random: c.Random,
		Policy: c.Delivering.Policy, EventLife: c.Delivering.EventTTL, RowLife: c.Delivering.RowLife(),
	})
}
