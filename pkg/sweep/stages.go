package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Limits of one Run. The stages run concurrently, each with its own deadline,
// so each gets its turn every minute whatever the others have to do.
const (
	rowTime   = 45 * time.Second
	timerTime = 45 * time.Second
	otherTime = 30 * time.Second // each of the other stages
	// stopBefore is how long before its context's deadline a Run stops, which
	// leaves time to finish what has begun.
	stopBefore = 10 * time.Second
)

// Run does one minute's work, in at most 45 seconds. The next Run takes up what
// is unfinished or failed. The error joins the errors of all stages, for the
// log and the metric.
func (s *Sweeper) Run(ctx context.Context) error {
	whole := ctx
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-stopBefore))
		defer cancel()
	}
	m := &minute{}
	stages := []struct {
		what string
		time time.Duration
		do   func(context.Context) error
	}{
		{"due rows", rowTime, func(ctx context.Context) error { return s.sendDue(ctx, m) }},
		{"timers", timerTime, func(ctx context.Context) error { return s.visitTimers(ctx, m) }},
		{"dead letters", otherTime, s.drainDeadLetters},
		{"redrive", otherTime, s.redrive},
		{"failed changes", otherTime, s.retakeChanges},
		{"intents", otherTime, s.clearIntents},
		{"jobs", otherTime, s.runJobs},
		{"silent sources", otherTime, s.reportSilent},
	}
	errs := make([]error, len(stages))
	var wg sync.WaitGroup
	for i, stage := range stages {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, stage.time)
			defer cancel()
			if err := guarded(func() error { return stage.do(ctx) }); err != nil {
				errs[i] = fmt.Errorf("%s: %w", stage.what, err)
			}
		})
	}
	wg.Wait()
	m.log(whole, s)
	s.notices.Flush(whole) // in the time that the stages leave
	return errors.Join(errs...)
}

// guarded returns a panic as an error: otherwise it would end the process, and
// with it the other stages.
func guarded(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panicked: %v", cause)
		}
	}()
	return do()
}
