package dispatch_test

import (
	"bytes"
	"encoding/json"
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
)

// logged runs something and returns its info lines about the site's event, with
// the time of the next attempt as a wait.
func (s *site) logged(run func()) (lines []string) {
	s.t.Helper()
	var out bytes.Buffer
	s.Logger = slog.New(telemetry.NewHandler(&out, slog.LevelInfo))
	run()
	for raw := range strings.Lines(out.String()) {
		var line struct {
			Msg, Event, Lane, Outcome string
			EventID                   webhook.EventID `json:"event_id"`
			Matches                   *int
			Next                      time.Time `json:"next_attempt"`
		}
		s.must(json.Unmarshal([]byte(raw), &line))
		if line.EventID != s.event.ID {
			continue
		}
		said := fmt.Sprint(line.Msg, " ", line.Event)
		for _, word := range []string{line.Lane, line.Outcome} {
			if word != "" {
				said += " " + word
			}
		}
		if line.Matches != nil {
			said += fmt.Sprint(" matches ", *line.Matches)
		}
		if !line.Next.IsZero() {
			said += fmt.Sprint(" next in ", line.Next.Sub(s.clock.Now()).Round(10*time.Second))
		}
		lines = append(lines, said)
	}
	return lines
}

func TestStream_LogsOneLineOfAnEvent(t *testing.T) {
	t.Parallel()
	many := func(s *site) {
		for id := int32(2); id <= 101; id++ {
			s.create(webhook.Webhook{ID: id, Events: []string{"contact.changed"}})
		}
	}
	for _, tt := range []struct {
		name    string
		event   string
		prepare func(s *site)
		answer  func(webhook.Post) webhook.Result
		want    string
	}{
		{name: "no webhook matches", event: "sale.sold", want: "event dispatched sale.sold matches 0"},
		{name: "enqueued", event: "contact.changed", want: "event dispatched contact.changed matches 1"},
		{name: "cut into ranges", event: "contact.changed", prepare: many, want: "event dispatched contact.changed matches 101"},
		{name: "delivered at once", event: "contact.changed", prepare: (*site).earn, want: "delivery attempted contact.changed fast delivered matches 1"},
		{
			name: "failed", event: "contact.changed", prepare: (*site).earn, answer: func(webhook.Post) webhook.Result {
				return webhook.Result{StatusCode: 503, Error: failure.Status, RetryAfter: time.Hour}
			},
			want: "delivery attempted contact.changed fast status matches 1 next in 1h0m0s",
		},
		{
			name: "cut short", event: "contact.changed", prepare: (*site).earn, answer: cut,
			want: "delivery attempted contact.changed fast fast_timeout matches 1 next in 0s",
		},
		{
			name: "undecided", event: "contact.changed", prepare: (*site).earn, answer: undecided,
			want: "delivery attempted contact.changed fast status matches 1 next in 0s",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			s.answer, s.event = tt.answer, s.put(tt.event)
			record := webhook.Record{Event: s.event, Accepted: s.clock.Now(), Sequence: "1"}
			got := s.logged(func() { s.Stream(t.Context(), []webhook.Record{record}) })
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestQueue_LogsTheTimeOfTheNextAttempt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		attempt int
		answer  func(webhook.Post) webhook.Result
		want    string
	}{
		{"delivered", 1, nil, "delivery attempted contact.changed queue delivered"},
		{"failed", 3, status(500), "delivery attempted contact.changed queue status next in 30m0s"},
		{"the last one failed", 10, status(500), "delivery attempted contact.changed queue status"},
		{
			"interrupted", 1, func(webhook.Post) webhook.Result {
				return webhook.Result{Error: failure.Timeout, Interrupted: true}
			},
			"delivery attempted contact.changed queue timeout next in 20s",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.answer = tt.answer
			for before := 1; before < tt.attempt; before++ {
				s.finish(1, before, delivery.StatusPending)
			}
			s.Random = half{}
			got := s.logged(func() { s.consume(s.attempt(1, tt.attempt)) })
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// half is randomness that puts every jitter in the middle of its range.
type half struct{}

func (half) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0x80
	}
	return len(p), nil
}

func TestExpand_LogsTheMatchesOfAWholeEvent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	whole := delivery.ExpandMessage(s.event, s.clock.Now())
	want := []string{"event dispatched contact.changed matches 1"}
	if diff := cmp.Diff(want, s.logged(func() { s.consume(whole) })); diff != "" {
		t.Errorf("a whole event (-want +got):\n%s", diff)
	}
	inRange := whole
	inRange.From, inRange.To = 1, 2
	if got := s.logged(func() { s.consume(inRange) }); len(got) > 0 {
		t.Errorf("a range: got %q, want no second line", got)
	}
}

func TestLog_HoldsNoDataAndNoSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rotate("a")
	s.earn()
	s.answer = func(webhook.Post) webhook.Result {
		return webhook.Result{StatusCode: 500, Error: failure.Status, Response: "hunter2"}
	}
	s.event.Data = []byte(`{"password":"hunter2"}`)
	var out bytes.Buffer
	s.Logger = slog.New(telemetry.NewHandler(&out, slog.LevelDebug))
	s.Stream(t.Context(), []webhook.Record{{Event: s.event, Accepted: s.clock.Now(), Sequence: "1"}})
	if got := out.String(); !strings.Contains(got, "delivery attempted") || strings.Contains(got, "hunter2") || strings.Contains(got, "/in") {
		t.Errorf("got %s", got)
	}
}
