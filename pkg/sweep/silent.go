package sweep

import (
	"context"
	"errors"
	"fmt"
)

// reportSilent logs each source from which no record came for longer than its
// ExpectWithin. It does so every minute, so that an alarm on the lines ends soon
// after records come again. What was counted last by an environment may be
// missing for some seconds.
func (s *Sweeper) reportSilent(ctx context.Context) error {
	if s.Sources == nil {
		return nil
	}
	failed := skips{sweeper: s, what: "sources"}
	all, err := s.Sources.List(ctx)
	if err = failed.readable(ctx, err); err != nil {
		return err
	}
	for _, each := range all {
		if each.ExpectWithin == 0 {
			continue
		}
		counts, err := s.Sources.Counts(ctx, each.Name)
		if err != nil {
			failed.skip(ctx, each.Name, fmt.Errorf("counts: %w", err))
			continue
		}
		silence := s.Now().Sub(later(each.Created, counts.LastTaken))
		if silence > each.ExpectWithin {
			s.Logger.ErrorContext(ctx, "source silent", "source", each.Name, "minutes", int64(silence.Minutes()),
				"expected_within_minutes", int64(each.ExpectWithin.Minutes()))
		}
	}
	return errors.Join(ctx.Err(), failed.err())
}
