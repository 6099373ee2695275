package sweep

import (
	"context"
	"errors"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// drainDeadLetters empties the dead-letter queue, so that it never holds the
// only copy of anything: attempts become due rows, everything else is sent
// again. What cannot be read stays, for a person; the queue's alarm tells.
func (s *Sweeper) drainDeadLetters(ctx context.Context) error {
	for range maxDeadPages {
		letters, err := s.DeadLetters.Receive(ctx, deadPage)
		if err != nil || len(letters) == 0 {
			return err
		}
		for _, letter := range letters {
			if letter.Undecodable != "" {
				continue
			}
			if err := s.revive(ctx, letter.Message); err != nil {
				return err
			}
			if err := s.DeadLetters.Remove(ctx, letter.Receipt); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sweeper) revive(ctx context.Context, m webhook.Message) error {
	if m.Kind != webhook.MessageAttempt {
		m.Hops = 0
		return s.send(ctx, []webhook.Outgoing{{Message: m, Delay: webhook.MaxDelay}})
	}
	now := s.Now()
	_, err := s.Deliveries.MakeDue(ctx, webhook.MakeDue{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Now: now, SweepAt: now,
		Seed: webhook.Seed{Replay: m.Replay, ExpiresAt: now.Add(s.RowLife)},
	})
	if errors.Is(err, webhook.ErrRefused) {
		return nil // the delivery has gone on without this message
	}
	return err
}
