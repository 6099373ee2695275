package dispatch

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// next is the message for the attempt after this one, and whether there is one:
// a wait longer than the queue's is left to the row alone, and so is a delivery
// that has hopped too often.
func next(m webhook.Message, outcome *webhook.Outcome, now time.Time) (webhook.Outgoing, bool) {
	delay := outcome.NextAt.Sub(now)
	if outcome.Status != webhook.StatusPending || delay > webhook.MaxDelay || m.Hops+1 >= maxMessageHops {
		return webhook.Outgoing{}, false
	}
	outcome.SweepAt = outcome.NextAt.Add(sweepMargin)
	return webhook.Outgoing{Message: m.Next(), Delay: delay}, true
}

// success is the message that writes down a success later, when its row could
// not be written now. It is never dropped and never makes a second POST.
func (e *Engine) success(m webhook.Message, a webhook.Attempt) webhook.Outgoing {
	return webhook.Outgoing{Message: webhook.RecordMessage(m, a), Delay: 30*time.Second + time.Duration(e.fraction()*float64(270*time.Second))}
}
