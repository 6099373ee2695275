package replay

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Count is how many deliveries of one event name a replay selected for one reason.
type Count struct {
	Event  string // empty: all names beyond the first hundred
	Reason Reason
	Count  int
}

// maxCounts bounds the size of a job. Names beyond it are counted together.
const maxCounts = 100

// progress is what the job of a replay knows by now.
type progress struct {
	Counts []Count `json:",omitempty"`
	// Due is when the next first attempt may be due, so that the rate is kept.
	Due time.Time `json:",omitzero"`
}

func readProgress(text string) (progress, error) {
	var p progress
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return progress{}, fmt.Errorf("read progress: %w", err)
	}
	return p, nil
}

func (p progress) encode() (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode progress: %w", err)
	}
	return string(text), nil
}

// count counts a delivery.
func (p *progress) count(event string, r Reason) {
	at := func(event string) int {
		return slices.IndexFunc(p.Counts, func(c Count) bool { return c.Event == event && c.Reason == r })
	}
	i := at(event)
	if i < 0 && len(p.Counts) >= maxCounts {
		event = ""
		i = at(event)
	}
	if i < 0 {
		p.Counts = append(p.Counts, Count{event, r, 0})
		i = len(p.Counts) - 1
	}
	p.Counts[i].Count++
}

// View is a replay as callers see it. Job.Processed counts the rounds that it has begun.
type View struct {
	Job  job.Job
	Plan Plan
	// Counts are the selected deliveries, by name and reason.
	Counts []Count
	// Remaining estimates the time until the last first attempt, from what the replay
	// has done so far. Negative: not known yet. Zero once it has ended.
	Remaining time.Duration
}

// view returns a job of kind job.Replay as callers see it.
func view(j job.Job, now time.Time) (View, error) {
	plan, err := readPlan(j.Plan, j.From, j.To)
	if err != nil {
		return View{}, err
	}
	p, err := readProgress(j.Progress)
	if err != nil {
		return View{}, err
	}
	slices.SortFunc(p.Counts, func(a, b Count) int { return cmp.Or(cmp.Compare(a.Event, b.Event), cmp.Compare(a.Reason, b.Reason)) })
	return View{Job: j, Plan: plan, Counts: p.Counts, Remaining: remaining(j, plan, p, now)}, nil
}

// remaining estimates by the part of the period that is behind the cursor.
func remaining(j job.Job, plan Plan, p progress, now time.Time) time.Duration {
	if j.Status != job.Running {
		return 0
	}
	at := webhook.EventID(j.Cursor).Time()
	if at.IsZero() {
		return -1
	}
	done := at.Sub(j.From)
	if !plan.overEvents() {
		done = j.To.Sub(at)
	}
	part := float64(done) / float64(j.To.Sub(j.From))
	if part <= 0 {
		return -1
	}
	took := max(p.Due.Sub(later(j.Made, j.NotBefore)), now.Sub(later(j.Made, j.NotBefore)))
	return max(p.Due.Sub(now), 0) + time.Duration(float64(took)*max(1-part, 0)/part)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
