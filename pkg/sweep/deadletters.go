package sweep

import (
	"context"
	"errors"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/notice"
)

// drainDeadLetters empties the dead-letter queue so that it never holds the
// only copy of anything: attempts become due rows, all other messages are sent
// again. Unreadable messages stay for an operator, whom the queue's alarm
// notifies. Faulty messages stay too and do not block the others.
func (s *Sweeper) drainDeadLetters(ctx context.Context) error {
	failed := skips{sweeper: s, what: "dead letters"}
	var unreadable, revived int64
	defer func() {
		s.noteLetters(notice.Unreadable, unreadable)
		s.noteLetters(notice.Received, revived)
	}()
	for range maxDeadPages {
		letters, err := s.DeadLetters.Receive(ctx, deadPage)
		if err != nil {
			return errors.Join(err, failed.err())
		}
		if len(letters) == 0 {
			break
		}
		for _, letter := range letters {
			if letter.Undecodable != "" {
				unreadable++
				continue
			}
			if err := s.revive(ctx, letter); err != nil {
				failed.skip(ctx, string(letter.Message.Kind)+" "+name(letter.Message.Key()), err)
				continue
			}
			revived++
		}
	}
	return failed.err()
}

// noteLetters raises the notice that the dead-letter queue had messages.
func (s *Sweeper) noteLetters(class notice.Class, count int64) {
	if count > 0 {
		s.notices.Add(notice.Notice{Kind: notice.DeadLetter, Error: class, Count: count})
	}
}

// revive sends a letter's message again, or makes its row due, and then removes
// the letter.
func (s *Sweeper) revive(ctx context.Context, letter delivery.Received) error {
	if err := s.sendAgain(ctx, letter.Message); err != nil {
		return err
	}
	return s.DeadLetters.Remove(ctx, letter.Receipt)
}

func (s *Sweeper) sendAgain(ctx context.Context, m delivery.Message) error {
	if m.Kind != delivery.MessageAttempt {
		m.Hops = 0
		return s.send(ctx, []delivery.Outgoing{{Message: m, Delay: delivery.MaxDelay}})
	}
	now := s.Now()
	_, err := s.Deliveries.MakeDue(ctx, delivery.MakeDue{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Now: now, SweepAt: now,
		Seed: delivery.Seed{Replay: m.Replay, Fast: m.Fast, ExpiresAt: now.Add(s.RowLife)},
	})
	if errors.Is(err, delivery.ErrRefused) {
		return nil // the delivery has gone on without this message
	}
	return err
}
