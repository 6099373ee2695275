package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Changes is what batches of table changes that Lambda gave up on are taken again
// with.
type Changes struct {
	Failures ChangeFailures
	// Take has a batch taken again, and reports whether every record was.
	Take func(ctx context.Context, batch []byte) (all bool, err error)
}

// ChangeFailures holds these batches, each under a name, until they are removed.
type ChangeFailures interface {
	// List and Remove are those of Failures.
	List(ctx context.Context, after string, limit int) ([]string, error)
	Remove(ctx context.Context, name string) error
	// Payload returns a batch as it came. Its errors are those of
	// Failures.Open.
	Payload(ctx context.Context, name string) ([]byte, error)
}

// retakeChanges has batches of table changes that Lambda gave up on taken again,
// at most changePage of them in a Run. A batch is removed only once all its
// records were taken. Others stay where they are and nowhere else: no queue ever
// holds records of the tables. Each Run goes on behind the last batch of the one
// before, so that batches that fail every time do not block the others. A bucket
// that was empty is listed again in the fifth minute.
func (s *Sweeper) retakeChanges(ctx context.Context) error {
	if s.Changes == nil || s.changes.lasts(s.Now()) {
		return nil
	}
	failed := skips{sweeper: s, what: "failed changes"}
	names, err := s.nextChanges(ctx)
	if err == nil && len(names) == 0 {
		s.changes.begin(s.Now())
		s.retaken.Store(nil)
	}
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		s.retaken.Store(&name)
		if err = s.retake(ctx, name, &failed); err != nil {
			break
		}
	}
	return errors.Join(err, ctx.Err(), failed.err())
}

// nextChanges returns the names of the batches that are next, from the first one
// on again after the last.
func (s *Sweeper) nextChanges(ctx context.Context) ([]string, error) {
	after := ""
	if last := s.retaken.Load(); last != nil {
		after = *last
	}
	names, err := s.Changes.Failures.List(ctx, after, changePage)
	if err != nil || after == "" || len(names) == changePage {
		return names, err
	}
	first, err := s.Changes.Failures.List(ctx, "", changePage-len(names))
	return append(names, slices.DeleteFunc(first, func(name string) bool { return name > after })...), err
}

// retake has a batch taken again and removes it. The error ends the stage.
func (s *Sweeper) retake(ctx context.Context, name string, failed *skips) error {
	batch, err := s.Changes.Failures.Payload(ctx, name)
	var unreadable *webhook.ValidationError
	switch {
	case errors.As(err, &unreadable):
		failed.leave(ctx, name, unreadable)
		return nil
	case errors.Is(err, webhook.ErrNotFound):
		return nil // another sweep was faster
	case err != nil:
		failed.skip(ctx, name, err)
		return nil
	}
	all, err := s.Changes.Take(ctx, batch)
	if errors.Is(err, webhook.ErrUnavailable) {
		return err
	}
	if err == nil && !all {
		err = errors.New("some of its records could not be taken")
	}
	if err != nil {
		failed.skip(ctx, name, err)
		return nil
	}
	if err := s.Changes.Failures.Remove(ctx, name); err != nil {
		return fmt.Errorf("taken but not removed: %w", err)
	}
	return nil
}
