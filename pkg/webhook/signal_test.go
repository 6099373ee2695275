package webhook_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func newPublisher(t *testing.T) (*webhook.Publisher, *registry) {
	t.Helper()
	r := newRegistry(t)
	return &webhook.Publisher{Events: r.db.Events(), Now: r.Now, Random: r.Random, Life: 30 * 24 * time.Hour}, r
}

func TestPublisher_StoresTheEvent(t *testing.T) {
	t.Parallel()
	p, _ := newPublisher(t)
	id, err := p.Publish(t.Context(), anna, webhook.Signal{Name: "contact.changed", PrimaryKey: 7, Data: []byte("{ \"a\" : 1.10 }"), Hops: 1})
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Events.Get(t.Context(), "Default", id)
	if err != nil {
		t.Fatal(err)
	}
	if e.Name != "contact.changed" || e.PrimaryKey != 7 || string(e.Data) != `{"a":1.10}` || e.ChangedBy != 1 || e.Hops != 2 || !e.At.Equal(start) {
		t.Errorf("got event %+v", e)
	}
}

func TestPublisher_IdempotencyKey(t *testing.T) {
	t.Parallel()
	p, r := newPublisher(t)
	signal := webhook.Signal{Name: "a.b", PrimaryKey: 1, Data: []byte(`{"a":1}`), IdempotencyKey: "k"}
	first, err := p.Publish(t.Context(), anna, signal)
	if err != nil {
		t.Fatal(err)
	}
	signal.Data = []byte(`{ "a": 1 }`)
	if again, err := p.Publish(t.Context(), anna, signal); err != nil || again != first {
		t.Errorf("the same data with other white space: got %s and %v, want %s", again, err, first)
	}
	app := anna
	app.App = "app"
	if other, err := p.Publish(t.Context(), app, signal); err != nil || other == first {
		t.Errorf("another app's key: got %s and %v, want a new event", other, err)
	}
	for name, changed := range map[string]webhook.Signal{
		"other data":        {Name: "a.b", PrimaryKey: 1, Data: []byte(`{"a":2}`), IdempotencyKey: "k"},
		"other primary key": {Name: "a.b", PrimaryKey: 2, Data: []byte(`{"a":1}`), IdempotencyKey: "k"},
		"other name":        {Name: "a.c", PrimaryKey: 1, Data: []byte(`{"a":1}`), IdempotencyKey: "k"},
	} {
		if _, err := p.Publish(t.Context(), anna, changed); !errors.Is(err, webhook.ErrIdempotencyKeyReused) {
			t.Errorf("%s: got %v, want %v", name, err, webhook.ErrIdempotencyKeyReused)
		}
	}
	r.clock.Advance(24 * time.Hour)
	if later, err := p.Publish(t.Context(), anna, signal); err != nil || later == first {
		t.Errorf("a day later: got %s and %v, want a new event", later, err)
	}
}

func TestPublisher_Refuses(t *testing.T) {
	t.Parallel()
	big := []byte(`{"a":"` + strings.Repeat("x", webhook.MaxEventDataBytes-8) + `"}`)
	for name, test := range map[string]struct {
		signal webhook.Signal
		want   error // nil: a ValidationError
	}{
		"a name with a space":               {webhook.Signal{Name: "a b"}, nil},
		"the ping's name":                   {webhook.Signal{Name: "Test"}, nil},
		"a state event's name":              {webhook.Signal{Name: "webhook7.errors"}, nil},
		"any webhook's errors":              {webhook.Signal{Name: "Webhook.errors"}, nil},
		"any webhook's start":               {webhook.Signal{Name: "webhook.started"}, nil},
		"any webhook's stop":                {webhook.Signal{Name: "webhook.stopped"}, nil},
		"data that is an array":             {webhook.Signal{Name: "a", Data: []byte(`[]`)}, nil},
		"a key of 256 characters":           {webhook.Signal{Name: "a", IdempotencyKey: strings.Repeat("k", 256)}, nil},
		"data over the limit":               {webhook.Signal{Name: "a", Data: append(big[:len(big)-2:len(big)-2], `x"}`...)}, webhook.ErrTooLarge},
		"three webhooks behind it":          {webhook.Signal{Name: "a", Hops: webhook.MaxHops}, webhook.ErrLoop},
		"more hops than anyone could count": {webhook.Signal{Name: "a", Hops: 65535}, webhook.ErrLoop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, r := newPublisher(t)
			_, err := p.Publish(t.Context(), anna, test.signal)
			var invalid *webhook.ValidationError
			if test.want == nil && !errors.As(err, &invalid) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if len(r.events(t)) != 0 {
				t.Error("an event was stored")
			}
		})
	}
	t.Run("accepts data at the limit", func(t *testing.T) {
		t.Parallel()
		p, _ := newPublisher(t)
		if _, err := p.Publish(t.Context(), anna, webhook.Signal{Name: "a", Data: big}); err != nil {
			t.Error(err)
		}
	})
}
