package delivery_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestMessage_Covers(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	hook := func(id int32, activated time.Time) webhook.Webhook {
		return webhook.Webhook{ID: id, ActivatedAt: activated}
	}
	all, part := delivery.Message{Accepted: accepted}, delivery.Message{From: 5, To: 9, Accepted: accepted}
	job := delivery.Message{Replay: "job", Accepted: accepted}
	for _, test := range []struct {
		name string
		m    delivery.Message
		w    webhook.Webhook
		want bool
	}{
		{"no range", all, hook(1, accepted), true},
		{"before the range", part, hook(4, accepted), false},
		{"first of the range", part, hook(5, accepted), true},
		{"last of the range", part, hook(9, accepted), true},
		{"after the range", part, hook(10, accepted), false},
		{"activated later, no job", all, hook(1, accepted.Add(time.Hour)), true},
		{"job, activated in the same millisecond", job, hook(1, accepted.Add(999*time.Microsecond)), true},
		{"job, activated later", job, hook(1, accepted.Add(time.Millisecond)), false},
	} {
		if got := test.m.Covers(test.w); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestDecodeMessage_ChecksWhatItsKindNeeds(t *testing.T) {
	t.Parallel()
	const head = `{"tenant":"Default","event":"01234567-89ab-7fff-bfff-ffffffffffff"`
	for text, want := range map[string]string{
		"{": "decode message",
		head + `,"kind":"attempt","webhook":1,"round":1,"attempt":1}`:      "",
		head + `,"kind":"attempt","round":1,"attempt":1}`:                  "attempt message has no",
		head + `,"kind":"attempt","webhook":1,"attempt":1}`:                "attempt message has no",
		head + `,"kind":"attempt","webhook":1,"round":1}`:                  "attempt message has no",
		head + `,"kind":"record","webhook":1,"round":1,"success":{}}`:      "",
		head + `,"kind":"record","round":1,"success":{}}`:                  "record message has no",
		head + `,"kind":"record","webhook":1,"success":{}}`:                "record message has no",
		head + `,"kind":"record","webhook":1,"round":1}`:                   "record message has no",
		head + `,"kind":"expand"}`:                                         "",
		head + `,"kind":"later"}`:                                          "newer version",
		`{"tenant":"Default","kind":"expand"}`:                             "no valid tenant or event",
		`{"event":"01234567-89ab-7fff-bfff-ffffffffffff","kind":"expand"}`: "no valid tenant or event",
	} {
		m, err := delivery.DecodeMessage(text)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want == "":
			if again, err := delivery.DecodeMessage(delivery.EncodeMessage(m)); err != nil || again.Key() != m.Key() || again.Kind != m.Kind || again.Round != m.Round {
				t.Errorf("%s: is %+v after it was encoded: %v", text, again, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

type refusing struct {
	failed []int
	err    error
	calls  int
}

func (q *refusing) Send(context.Context, []delivery.Outgoing) ([]int, error) {
	q.calls++
	return q.failed, q.err
}

func TestSendAll(t *testing.T) {
	t.Parallel()
	other := errors.New("other")
	one := make([]delivery.Outgoing, 1)
	for _, test := range []struct {
		name  string
		queue refusing
		send  []delivery.Outgoing
		want  error
		calls int
	}{
		{"nothing", refusing{err: other}, nil, nil, 0},
		{"all stored", refusing{}, one, nil, 1},
		{"one refused", refusing{failed: []int{0}}, one, webhook.ErrUnavailable, 1},
		{"an error", refusing{failed: []int{0}, err: other}, one, other, 1},
	} {
		queue := test.queue
		if err := delivery.SendAll(t.Context(), &queue, test.send); !errors.Is(err, test.want) || queue.calls != test.calls {
			t.Errorf("%s: got %v after %d calls, want %v after %d", test.name, err, queue.calls, test.want, test.calls)
		}
	}
}

func TestFailureResponse_Of(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r, a := delivery.FailureResponse{Number: 2, At: at, Excerpt: "x"}, delivery.Attempt{Number: 2, At: at}
	if !r.Of(a) {
		t.Error("a response is not its attempt's")
	}
	for name, change := range map[string]func(){
		"another number": func() { r.Number++ }, "another time": func() { r.At = r.At.Add(1) }, "nothing": func() { r.Excerpt = "" },
	} {
		was := r
		if change(); r.Of(a) {
			t.Errorf("%s: is the attempt's", name)
		}
		r = was
	}
}
