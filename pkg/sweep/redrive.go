package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// redrive sends a message for each record that Lambda gave up on. The message
// has the event matched again, as of the acceptance time that the stream
// recorded, and its missing deliveries created. A batch is removed only after
// all its messages are sent; a sweep that dies in between causes them to be
// sent twice, which the delivery rows fence.
//
// Unreadable records are buried for an operator. A batch that cannot be opened
// stays and does not block the others. If messages cannot be sent, or a
// redriven batch cannot be removed, the stage stops until the next minute;
// otherwise it would send the same messages repeatedly. A bucket that was empty is
// listed again in the fifth minute.
func (s *Sweeper) redrive(ctx context.Context) error {
	if s.Failures == nil || s.failures.lasts(s.Now()) {
		return nil
	}
	failed := skips{sweeper: s, what: "failed batches"}
	after := ""
	for sent := 0; ctx.Err() == nil; {
		names, err := s.Failures.List(ctx, after, failureList)
		if err != nil {
			return errors.Join(err, failed.err())
		}
		if after == "" && len(names) == 0 {
			s.failures.begin(s.Now())
		}
		for _, name := range names {
			after = name
			records, err := s.Failures.Open(ctx, name)
			var unreadable *webhook.ValidationError
			switch {
			case errors.As(err, &unreadable):
				failed.leave(ctx, name, unreadable)
				continue
			case errors.Is(err, webhook.ErrNotFound):
				continue // another sweep was faster
			case err != nil:
				failed.skip(ctx, name, err)
				continue
			}
			err = s.sendOn(ctx, name, records)
			if errors.Is(err, webhook.ErrUnavailable) {
				return errors.Join(err, failed.err())
			}
			if err != nil {
				failed.skip(ctx, name, err)
			}
			if sent++; sent == failurePage {
				return failed.err()
			}
		}
		if len(names) < failureList {
			break
		}
	}
	return errors.Join(ctx.Err(), failed.err())
}

// sendOn sends the messages of a batch and removes it.
func (s *Sweeper) sendOn(ctx context.Context, name string, records []webhook.Record) error {
	var out []delivery.Outgoing
	for _, r := range records {
		if r.Undecodable != nil {
			if err := s.DeadLetters.Bury(ctx, r.Undecodable); err != nil {
				return err
			}
			s.noteLetters(notice.Unreadable, 1)
			continue
		}
		m := delivery.ExpandMessage(r.Event, r.Accepted)
		m.Missing = true
		out = append(out, delivery.Outgoing{Message: m})
	}
	if err := s.send(ctx, out); err != nil {
		return err
	}
	if err := s.Failures.Remove(ctx, name); err != nil {
		return fmt.Errorf("sent but not removed: %w", err)
	}
	return nil
}
