package dispatch_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/telemetry"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// hours returns the stored statistics of a webhook, in words.
func (s *site) hours(id int32) []string {
	s.t.Helper()
	stored, err := s.db.Statistics().Hours(s.t.Context(), tenant, id, time.Time{}, 100)
	s.must(err)
	words := []string{}
	for _, h := range stored {
		took, _ := h.Durations.Percentile(1)
		text := fmt.Sprintf("%s: %d attempts, %d delivered, %d failed, %s", h.From.Format("15"), h.Attempts, h.Delivered, h.Failed, took)
		if h.Suppressed > 0 {
			text += fmt.Sprintf(", %d suppressed", h.Suppressed)
		}
		if lag, ok := h.Lags.Percentile(1); ok {
			text += fmt.Sprint(", lag ", lag)
		}
		words = append(words, text)
		if want := h.From.Add(time.Hour + s.RowLife); !h.ExpiresAt.Equal(want) {
			s.t.Errorf("hour %s is kept until %s, want %s", h.From, h.ExpiresAt, want)
		}
	}
	return words
}

// counted counts the writes of statistics.
func (s *site) counted() *int {
	n := new(int)
	s.before["Count"] = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*n++
	}
	return n
}

func TestStatistics_OfOneAttempt(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, tt := range []struct {
		name   string
		result webhook.Result
		run    func(s *site)
		want   []string
	}{
		{
			"delivered in the fast lane",
			webhook.Result{StatusCode: 200, Duration: second},
			func(s *site) { s.fresh() },
			[]string{"08: 1 attempts, 1 delivered, 0 failed, 859ms, lag 859ms"},
		},
		{
			"delivered through the queue a minute later",
			webhook.Result{StatusCode: 200, Duration: second},
			func(s *site) { s.consume(s.attempt(1, 1)) },
			[]string{"08: 1 attempts, 1 delivered, 0 failed, 859ms, lag 49.561s"},
		},
		{
			"failed, to be retried",
			webhook.Result{StatusCode: 500, Duration: second, Error: failure.Status},
			func(s *site) { s.fresh() },
			[]string{"08: 1 attempts, 0 delivered, 0 failed, 859ms"},
		},
		{
			"failed for good in the fast lane",
			webhook.Result{StatusCode: 400, Duration: second, Error: failure.Aborted},
			func(s *site) { s.fresh() },
			[]string{"08: 1 attempts, 0 delivered, 1 failed, 859ms"},
		},
		{
			"failed for good through the queue",
			webhook.Result{StatusCode: 410, Duration: second, Error: failure.Status},
			func(s *site) { s.consume(s.attempt(1, 1)) },
			[]string{"08: 1 attempts, 0 delivered, 1 failed, 859ms"},
		},
		{
			"cut short in the fast lane",
			webhook.Result{Duration: 1500 * time.Millisecond, Error: failure.Timeout},
			func(s *site) { s.fresh() },
			[]string{},
		},
		{
			"cut short by the end of the call",
			webhook.Result{Duration: second, Error: failure.Timeout, Interrupted: true},
			func(s *site) { s.consume(s.attempt(1, 1)) },
			[]string{},
		},
		{
			"undecided in the fast lane",
			webhook.Result{Duration: second, Error: failure.Timeout, Undecided: true},
			func(s *site) { s.fresh() },
			[]string{},
		},
		{
			"undecided through the queue, which uses up an attempt",
			webhook.Result{Duration: second, Error: failure.Timeout, Undecided: true},
			func(s *site) { s.consume(s.attempt(1, 1)) },
			[]string{"08: 1 attempts, 0 delivered, 0 failed, 859ms"},
		},
		{
			"delivered by a replay",
			webhook.Result{StatusCode: 200, Duration: second},
			func(s *site) {
				s.finish(1, 1, delivery.StatusDelivered)
				s.newRound()
				s.consume(s.attempt(2, 1))
			},
			[]string{"08: 1 attempts, 1 delivered, 0 failed, 859ms"},
		},
		{
			"failed for good, and the row has gone on meanwhile",
			webhook.Result{StatusCode: 400, Duration: second, Error: failure.Aborted},
			func(s *site) {
				s.before["RecordFirst"] = func() { delete(s.before, "RecordFirst"); s.lease(1, 1, time.Minute) }
				s.fresh()
			},
			[]string{"08: 1 attempts, 0 delivered, 0 failed, 859ms"},
		},
		{
			"the webhook is stopped, and no attempt is made",
			webhook.Result{StatusCode: 200},
			func(s *site) {
				s.change(func(w *webhook.Webhook) { w.State = webhook.StateStopped })
				s.consume(s.attempt(1, 1))
			},
			[]string{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.answer = func(webhook.Post) webhook.Result { return tt.result }
			tt.run(s)
			if diff := cmp.Diff(tt.want, s.hours(1)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The statistics of a webhook are written once per batch, however many attempts there
// are and whether they fail, and once more if the batch spans a full hour.
func TestStatistics_AreWrittenOncePerWebhookAndBatch(t *testing.T) {
	t.Parallel()
	for name, failing := range map[string]bool{"delivered": false, "failing": true} {
		for lane, run := range map[string]func(s *site, n int){
			"stream": func(s *site, n int) {
				s.earn()
				var records []webhook.Record
				for i := range n {
					id, err := webhook.NewEventID(s.clock.Now(), webhooktest.Random(uint64(i)))
					s.must(err)
					records = append(records, webhook.Record{
						Event: webhook.Event{Tenant: tenant, ID: id, Name: "contact.changed"}, Accepted: s.clock.Now(), Sequence: fmt.Sprint(i),
					})
				}
				if failed := s.Stream(s.t.Context(), records); failed != "" {
					s.t.Errorf("failed at %s", failed)
				}
			},
			"queue": func(s *site, n int) {
				var messages []delivery.Message
				for i := range n {
					s.event = s.put("contact.changed" + strings.Repeat("x", i))
					messages = append(messages, s.attempt(1, 1))
				}
				if failed := s.Queue(s.t.Context(), s.send(messages...)); len(failed) > 0 {
					s.t.Errorf("failed: %v", failed)
				}
			},
		} {
			t.Run(lane+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.answer = func(webhook.Post) (r webhook.Result) {
					if failing {
						r.Error, r.StatusCode = failure.Status, 500
					}
					return r
				}
				writes := s.counted()
				const n = 9 // one less opens the breaker
				run(s, n)
				delivered := n
				if failing {
					delivered = 0
				}
				want := []string{fmt.Sprintf("08: %d attempts, %d delivered, 0 failed, 0s", n, delivered)}
				if got := s.hours(1); len(got) != 1 || !strings.HasPrefix(got[0], want[0]) || *writes != 1 {
					t.Errorf("got %q by %d writes, want %q by one", got, *writes, want)
				}
			})
		}
	}
}

func TestStatistics_OfABatchThatSpansAFullHour(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := []time.Time{start.Add(time.Hour - time.Millisecond), start.Add(time.Hour)}
	s.answer = func(webhook.Post) webhook.Result {
		s.mu.Lock()
		defer s.mu.Unlock()
		return webhook.Result{StatusCode: 200, At: at[(len(s.posts)-1)%2]}
	}
	writes := s.counted()
	first := s.attempt(1, 1)
	s.event = s.put("another")
	s.Queue(t.Context(), s.send(first, s.attempt(1, 1)))
	got := s.hours(1)
	if len(got) != 2 || !strings.HasPrefix(got[0], "08: 1 attempts") || !strings.HasPrefix(got[1], "09: 1 attempts") || *writes != 2 {
		t.Errorf("got %q by %d writes", got, *writes)
	}
}

// A fault of the statistics costs no delivery and no health, and the log says what is
// not counted.
func TestStatistics_AFaultIsLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.faults["Count"] = webhook.ErrUnavailable
	var out bytes.Buffer
	s.Logger = slog.New(telemetry.NewHandler(&out, slog.LevelWarn))
	if !s.consume(s.attempt(1, 1)) || s.row().Status != delivery.StatusDelivered || s.health().TotalCalls != 1 {
		t.Errorf("the row is %s, %d calls are counted", s.row().Status, s.health().TotalCalls)
	}
	if line := out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "cannot write statistics") || !strings.Contains(line, `"count":1`) || !strings.Contains(line, `"webhook_id":1`) {
		t.Errorf("the log says %s", line)
	}
}
