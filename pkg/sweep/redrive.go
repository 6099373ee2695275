package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// redrive sends on what the stream gave up: for each record one message that has
// its event matched again, as of the stream's own stamp of its acceptance, and
// the deliveries made that it lacks. Only when all of a batch are sent is the
// batch removed, so that a sweep that dies in between sends them twice, which
// the rows of their deliveries fence.
//
// A record that cannot be read goes where a person finds it. A batch that cannot
// be opened stays where it is and holds up none of the others. Once messages
// cannot be sent, or a batch that was sent on cannot be removed, the others wait
// for the next minute: they would be sent again and again.
func (s *Sweeper) redrive(ctx context.Context) error {
	if s.Failures == nil {
		return nil
	}
	failed := faults{sweeper: s, what: "batches that the stream gave up"}
	after := ""
	for sent := 0; ctx.Err() == nil; {
		names, err := s.Failures.List(ctx, after, failureList)
		if err != nil {
			return errors.Join(err, failed.err())
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
				continue // another sweep was quicker
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

// sendOn sends a batch on and removes it.
func (s *Sweeper) sendOn(ctx context.Context, name string, records []webhook.Record) error {
	var out []webhook.Outgoing
	for _, r := range records {
		if r.Undecodable != nil {
			if err := s.DeadLetters.Bury(ctx, r.Undecodable); err != nil {
				return err
			}
			continue
		}
		out = append(out, webhook.Outgoing{Message: webhook.ExpandMessage(r.Event, r.Accepted).OnlyMissing("")})
	}
	if err := s.send(ctx, out); err != nil {
		return err
	}
	if err := s.Failures.Remove(ctx, name); err != nil {
		return fmt.Errorf("sent on and not removed: %w", err)
	}
	return nil
}
