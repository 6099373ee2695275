// Package queuetest is the conformance suite of the delivery queue: every queue
// must pass it. Each testable sentence of the contract is a subtest.
package queuetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Harness is an empty queue under test, and the operations that AWS performs on
// it: receiving is not part of the contract.
type Harness struct {
	Queue      delivery.Queue
	Visibility delivery.Visibility
	// Receive returns up to limit messages that are visible now.
	Receive func(t *testing.T, limit int) []delivery.Received
	// Ack deletes received messages.
	Ack func(t *testing.T, received ...delivery.Received)
	// Advance lets time pass.
	Advance func(d time.Duration)
	// DeadLetters returns the messages in the dead-letter queue. nil means not
	// tested.
	DeadLetters func(t *testing.T) []delivery.Received
	// VisibilityTimeout and MaxReceives are the queue's settings.
	VisibilityTimeout time.Duration
	MaxReceives       int
	// Fair means that fairness between groups is visible within one batch. AWS
	// promises it only over time.
	Fair bool
}

func message(id int32, n int) delivery.Message {
	return delivery.Message{
		Kind: delivery.MessageAttempt, Tenant: "Default", Webhook: id, Round: 1, Attempt: n,
		Event: webhook.EventID(fmt.Sprintf("01234567-89ab-7fff-bfff-%012x", n)),
	}
}

func send(t *testing.T, h Harness, delay time.Duration, messages ...delivery.Message) {
	t.Helper()
	var out []delivery.Outgoing
	for _, m := range messages {
		out = append(out, delivery.Outgoing{Message: m, Delay: delay})
	}
	failed, err := h.Queue.Send(t.Context(), out)
	if err != nil || len(failed) != 0 {
		t.Fatalf("Send: got %v, %v", failed, err)
	}
}

// all receives until no message is left.
func all(t *testing.T, h Harness) (received []delivery.Received) {
	t.Helper()
	for {
		batch := h.Receive(t, 10)
		if len(batch) == 0 {
			return received
		}
		received = append(received, batch...)
	}
}

func attempts(received []delivery.Received) []int {
	out := []int{}
	for _, r := range received {
		out = append(out, r.Message.Attempt)
	}
	slices.Sort(out)
	return out
}

// Run runs the suite. open returns an empty queue each time.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	t.Run("a message is received as it was sent", func(t *testing.T) {
		h := open(t)
		accepted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		want := []delivery.Message{
			message(1, 1),
			{Kind: delivery.MessageExpand, Tenant: "Default", Event: message(1, 2).Event, Accepted: accepted, From: 5, To: 9, Hops: 3},
			{Kind: delivery.MessageRecord, Tenant: "Default", Webhook: 2, Event: message(1, 3).Event, Round: 2, Replay: "job", Success: &delivery.Attempt{
				Number: 1, At: accepted, Duration: time.Second, StatusCode: 200,
				Sent: webhook.Sent{Revision: 3, Body: webhook.BodyMark(nil), Signer: webhook.SignerCurrent, Both: true, Replay: true},
			}},
		}
		send(t, h, 0, want...)
		got := all(t, h)
		messages := make([]delivery.Message, 0, len(got))
		for _, r := range got {
			messages = append(messages, r.Message)
			if r.Receives != 1 || r.ID == "" || r.Receipt == "" || r.Undecodable != "" {
				t.Errorf("got %+v", r)
			}
		}
		slices.SortFunc(messages, func(a, b delivery.Message) int { return strings.Compare(string(a.Event), string(b.Event)) })
		if diff := cmp.Diff(want, messages); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("Send takes any number of messages, including none", func(t *testing.T) {
		h := open(t)
		send(t, h, 0)
		var many []delivery.Message
		for n := 1; n <= 25; n++ {
			many = append(many, message(1, n))
		}
		send(t, h, 0, many...)
		if got := attempts(all(t, h)); len(got) != 25 || got[0] != 1 || got[24] != 25 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("a delayed message is received when its delay is over", func(t *testing.T) {
		h := open(t)
		send(t, h, 2*time.Second, message(1, 1))
		send(t, h, 0, message(1, 2))
		if got := attempts(all(t, h)); !slices.Equal(got, []int{2}) {
			t.Errorf("at once: got %v, want only 2", got)
		}
		h.Advance(3 * time.Second)
		if got := attempts(all(t, h)); !slices.Equal(got, []int{1}) {
			t.Errorf("later: got %v, want only 1", got)
		}
	})
	t.Run("a received message is hidden, and received again if it is not acknowledged", func(t *testing.T) {
		h := open(t)
		send(t, h, 0, message(1, 1), message(1, 2))
		first := all(t, h)
		if len(first) != 2 {
			t.Fatalf("got %d messages, want 2", len(first))
		}
		h.Ack(t, first[0])
		if got := all(t, h); len(got) != 0 {
			t.Errorf("hidden: got %v", attempts(got))
		}
		h.Advance(h.VisibilityTimeout + time.Second)
		again := all(t, h)
		if len(again) != 1 || again[0].Message != first[1].Message || again[0].Receives != 2 {
			t.Errorf("after the visibility timeout: got %+v", again)
		}
	})
	t.Run("Postpone sets when a message is received again", func(t *testing.T) {
		h := open(t)
		send(t, h, 0, message(1, 1))
		first := all(t, h)
		if err := h.Visibility.Postpone(t.Context(), first[0], 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if got := all(t, h); len(got) != 0 {
			t.Errorf("at once: got %v", attempts(got))
		}
		h.Advance(3 * time.Second)
		if got := all(t, h); len(got) != 1 {
			t.Errorf("later: got %v", attempts(got))
		}
	})
	t.Run("Postpone ignores a receipt that is no longer valid", func(t *testing.T) {
		h := open(t)
		send(t, h, 0, message(1, 1))
		first := all(t, h)
		h.Ack(t, first...)
		if err := h.Visibility.Postpone(t.Context(), first[0], time.Second); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a message that was received too often becomes a dead letter", func(t *testing.T) {
		h := open(t)
		if h.DeadLetters == nil {
			t.Skip("the harness has no dead letters: they are tested elsewhere")
		}
		send(t, h, 0, message(1, 1))
		for n := 1; n <= h.MaxReceives; n++ {
			got := all(t, h)
			if len(got) != 1 || got[0].Receives != n {
				t.Fatalf("receive %d: got %+v", n, got)
			}
			h.Advance(h.VisibilityTimeout + time.Second)
		}
		if got := all(t, h); len(got) != 0 {
			t.Errorf("still in the queue: %+v", got)
		}
		letters := h.DeadLetters(t)
		if len(letters) != 1 || letters[0].Message != message(1, 1) {
			t.Errorf("got %+v", letters)
		}
	})
	t.Run("a tenant with many messages does not delay one with few", func(t *testing.T) {
		h := open(t)
		var many []delivery.Message
		for n := 1; n <= 600; n++ {
			many = append(many, message(1, n))
		}
		send(t, h, 0, many...)
		other := message(2, 601)
		other.Tenant = "Other"
		send(t, h, 0, other)
		batch := append(h.Receive(t, 10), h.Receive(t, 10)...)
		if !slices.Contains(attempts(batch), 601) && h.Fair {
			t.Errorf("the other tenant's message is not among the first twenty: %v", attempts(batch))
		}
	})
	t.Run("messages of both lanes are received and postponed", func(t *testing.T) {
		h := open(t)
		slow := message(1, 2)
		slow.Slow = true
		send(t, h, 0, message(1, 1), slow)
		got := all(t, h)
		if !slices.Equal(attempts(got), []int{1, 2}) {
			t.Fatalf("got %+v", got)
		}
		for _, r := range got {
			if err := h.Visibility.Postpone(t.Context(), r, 2*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		h.Advance(3 * time.Second)
		if got := all(t, h); !slices.Equal(attempts(got), []int{1, 2}) {
			t.Errorf("later: got %v", attempts(got))
		}
	})
}
