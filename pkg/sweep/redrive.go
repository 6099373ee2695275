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
// be read at all, or has a fault of its own, stays where it is, is told of each
// minute, and holds up none of the others.
func (s *Sweeper) redrive(ctx context.Context) error {
	if s.Failures == nil {
		return nil
	}
	names, err := s.Failures.List(ctx, failureList)
	if err != nil {
		return err
	}
	sent := 0
	var errs []error
	for _, name := range names {
		if sent == failurePage || ctx.Err() != nil {
			break
		}
		done, err := s.redriveOne(ctx, name)
		if err != nil {
			errs = append(errs, err)
		}
		if errors.Is(err, webhook.ErrUnavailable) {
			break // the bucket or the queue is out of reach, for the others as well
		}
		if done {
			sent++
		}
	}
	return errors.Join(errs...)
}

func (s *Sweeper) redriveOne(ctx context.Context, name string) (done bool, err error) {
	records, err := s.Failures.Open(ctx, name)
	var unreadable *webhook.ValidationError
	switch {
	case errors.As(err, &unreadable):
		s.Logger.ErrorContext(ctx, "given up by the stream and unreadable: left for a person", "error", unreadable)
		return false, nil
	case errors.Is(err, webhook.ErrNotFound):
		return true, nil // another sweep was quicker
	case err != nil:
		return false, err
	}
	var out []webhook.Outgoing
	for _, r := range records {
		if r.Undecodable != nil {
			if err := s.DeadLetters.Bury(ctx, r.Undecodable); err != nil {
				return false, err
			}
			continue
		}
		out = append(out, webhook.Outgoing{Message: webhook.Message{
			Kind: webhook.MessageExpand, Tenant: r.Event.Tenant, Event: r.Event.ID, Accepted: r.Accepted, Missing: true,
		}})
	}
	if err := s.send(ctx, out); err != nil {
		return false, err
	}
	if err := s.Failures.Remove(ctx, name); err != nil {
		return false, fmt.Errorf("sent on and not removed: %w", err)
	}
	return true, nil
}
