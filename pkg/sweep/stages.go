package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What one Run may take. The stages run side by side, each until a deadline of
// its own, so that whatever one of them has to do, the others get on every
// minute.
const (
	rowTime   = 45 * time.Second
	otherTime = 30 * time.Second // of the other stages, each
	// stopBefore is how long before its context's deadline a Run ends. What was
	// begun by then has the time to be seen to its end.
	stopBefore = 10 * time.Second
)

// Run does one minute's work, in 45 seconds at most. What it did not get done,
// or what failed, the next one does; the error joins the faults met, for the log
// and the metric.
func (s *Sweeper) Run(ctx context.Context) error {
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-stopBefore))
		defer cancel()
	}
	stages := []struct {
		what string
		time time.Duration
		do   func(context.Context) error
	}{
		{"due rows", rowTime, s.sendDue},
		{"dead letters", otherTime, s.drainDeadLetters},
		{"redrive", otherTime, s.redrive},
		{"intents", otherTime, s.clearIntents},
		{"jobs", otherTime, s.runJobs},
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
	return errors.Join(errs...)
}

// guarded turns a panic into an error: it would end the process, and the other
// goroutines of the Run with it.
func guarded(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panicked: %v", cause)
		}
	}()
	return do()
}
