package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/notice"
)

// failingFor is how long after its last fault a source counts as failing: a few
// runs of the sweep, and the seconds that counts may be late.
const failingFor = 5 * time.Minute

// reportSilent logs each source from which no record came for longer than its
// ExpectWithin. It does so every minute, so that an alarm on the lines ends soon
// after records come again. Their level is not ERROR, whose alarm they would keep
// raised while other errors come. What was counted last by an environment may be
// missing for some seconds. Operational notices report the same sources, and
// those whose last fault is a few minutes old at most.
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
		counts, err := s.Sources.Counts(ctx, each.Name)
		if err != nil {
			failed.skip(ctx, each.Name, fmt.Errorf("counts: %w", err))
			continue
		}
		if !counts.LastFaultAt.IsZero() && s.Now().Sub(counts.LastFaultAt) < failingFor {
			s.notices.Add(notice.Notice{Kind: notice.SourceFailing, Source: each.Name, Tenant: each.Tenant, Since: counts.LastFaultAt})
		}
		last := later(each.Created, counts.LastTaken)
		silence := s.Now().Sub(last)
		if each.ExpectWithin > 0 && silence > each.ExpectWithin {
			s.notices.Add(notice.Notice{
				Kind: notice.SourceSilent, Source: each.Name, Tenant: each.Tenant, Since: last.Add(each.ExpectWithin),
			})
			s.Logger.WarnContext(ctx, "source silent", "source", each.Name, "minutes", int64(silence.Minutes()),
				"expected_within_minutes", int64(each.ExpectWithin.Minutes()))
		}
	}
	return errors.Join(ctx.Err(), failed.err())
}
