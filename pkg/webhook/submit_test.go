package webhook_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func (r *registry) storedEvents(t *testing.T) []webhook.Event {
	t.Helper()
	events, err := r.db.Events().List(t.Context(), "Default", "", "ffffffff-ffff-ffff-ffff-ffffffffffff", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestPublishAll_Stores(t *testing.T) {
	t.Parallel()
	p, r := newPublisher(t)
	entity, by := "sale", int32(9)
	ids, err := p.PublishAll(t.Context(), anna, "", []webhook.Submission{
		{Name: "order.placed", Key: "A-7", FieldValues: []byte("{ \"b\" : 1.50, \"a\":2 }"), Previous: []byte(`{}`), Source: "shop", ID: "1", Sequence: "9"},
		{
			Name: "order.line.deleted", PrimaryKey: 7, Entity: &entity, Changes: []string{}, Values: []byte(`{"id":7}`), ChangedBy: &by,
			At: start.Add(-time.Hour), Hops: 2,
		},
		{Name: "ping"},
	})
	if err != nil {
		t.Fatal(err)
	}
	order, ping := "order", "ping"
	common := webhook.Event{Tenant: "Default", ChangedBy: 1, At: start, Hops: 1, ExpiresAt: start.Add(p.Life)}
	want := []webhook.Event{common, common, common}
	want[0].Name, want[0].Key = "order.placed", "A-7"
	want[0].Content = &webhook.Content{
		Entity: &order, Changes: []string{"b", "a"}, FieldValues: json.RawMessage(`{"b":1.50,"a":2}`), Previous: json.RawMessage(`{}`),
		Source: "shop", SourceEvent: "1", Sequence: "9",
	}
	want[1].Name, want[1].PrimaryKey, want[1].ChangedBy, want[1].At, want[1].Hops = "order.line.deleted", 7, 9, start.Add(-time.Hour), 3
	want[1].Content = &webhook.Content{Entity: &entity, Changes: []string{}, Values: json.RawMessage(`{"id":7}`)}
	want[2].Name, want[2].Content = "ping", &webhook.Content{Entity: &ping}
	for i, id := range ids {
		want[i].ID = id
		got, err := p.Events.Get(t.Context(), "Default", id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("event %d (-want +got):\n%s", i, diff)
		}
	}
	if n := len(r.storedEvents(t)); n != 3 {
		t.Errorf("got %d stored events, want 3", n)
	}
}

func TestPublishAll_Refuses(t *testing.T) {
	t.Parallel()
	large := []byte(`{"a":"` + strings.Repeat("x", 200<<10) + `"}`)
	good := webhook.Submission{Name: "a.b"}
	for name, c := range map[string]struct {
		list []webhook.Submission
		key  string
		text string // "" is any
		want error  // nil: a ValidationError
	}{
		"no events":        {nil, "", "at least one event", nil},
		"101 events":       {slices.Repeat([]webhook.Submission{good}, 101), "", "at most 100 events", nil},
		"a long key":       {[]webhook.Submission{good}, strings.Repeat("k", 256), "Idempotency-Key", nil},
		"an array":         {[]webhook.Submission{good, {Name: "a", Values: []byte(`[]`)}}, "", "[1].Values", nil},
		"a bad name":       {[]webhook.Submission{{Name: "a b"}}, "", "[0].Event ", nil},
		"a reserved name":  {[]webhook.Submission{{Name: "webhook7.errors"}}, "", "reserved", nil},
		"the future":       {[]webhook.Submission{{Name: "a", At: start.Add(6 * time.Minute)}}, "", "[0].Timestamp must be at most 5 minutes in the future", nil},
		"the past":         {[]webhook.Submission{{Name: "a", At: start.Add(-29*24*time.Hour - time.Second)}}, "", "[0].Timestamp must be at most 29 days in the past", nil},
		"a relay's source": {[]webhook.Submission{{Name: "a", Source: "/in/crm"}}, "", "[0].Source must not begin with /in/", nil},
		"a long Key":       {[]webhook.Submission{{Name: "a", Key: strings.Repeat("å", 257)}}, "", "[0].Key must be at most 256 characters", nil},
		"control characters": {
			[]webhook.Submission{{Name: "a", Sequence: "1\n2"}}, "", "[0].Sequence must be valid UTF-8 without control characters", nil,
		},
		"faults of the reader": {
			[]webhook.Submission{{}, {Name: "a", Faults: webhook.Faults{{Member: "Key", Text: "Key must be a string"}}}, {Sequence: "\n", Faults: webhook.Faults{{Member: "Event", Text: "type is required"}}}},
			"", `[0].Event "" must be 1 to 200 characters of A-Z a-z 0-9 _ . -; [1].Key must be a string; [2].type is required; [2].Sequence must be`, nil,
		},
		"two invalid events": {[]webhook.Submission{{Name: ""}, good, {Name: "test"}}, "", "[2].Event ", nil},
		"values with a total over the limit": {
			[]webhook.Submission{good, {Name: "a", FieldValues: large, Previous: large}}, "", "event [1]", webhook.ErrTooLarge,
		},
		"a loop": {[]webhook.Submission{good, {Name: "a", Hops: 3}}, "", "event [1]", webhook.ErrLoop},
		"two contents with one id": {
			[]webhook.Submission{{Name: "a", Source: "s", ID: "1"}, {Name: "b", Source: "s", ID: "1"}},
			"", "event [1]",
			webhook.ErrIdempotencyKeyReused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, r := newPublisher(t)
			ids, err := p.PublishAll(t.Context(), anna, c.key, c.list)
			var invalid *webhook.ValidationError
			if c.want == nil && !errors.As(err, &invalid) || c.want != nil && !errors.Is(err, c.want) || ids != nil {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %q, want it to contain %q", err, c.text)
			}
			if n := len(r.storedEvents(t)); n != 0 {
				t.Errorf("got %d stored events, want none", n)
			}
		})
	}
}

func TestPublishAll_OneEventPerSourceAndID(t *testing.T) {
	t.Parallel()
	p, r := newPublisher(t)
	one := webhook.Submission{Name: "a.b", Source: "s", ID: "1", FieldValues: []byte(`{"a":1}`)}
	twice := []webhook.Submission{one, {Name: "c"}, one}
	first, err := p.PublishAll(t.Context(), anna, "", twice)
	if err != nil || first[0] != first[2] || first[0] == first[1] {
		t.Fatalf("got %v, %v; want one event for both", first, err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			spaced := one
			spaced.FieldValues = []byte(`{ "a" : 1 }`)
			if ids, err := p.PublishAll(t.Context(), anna, "", []webhook.Submission{spaced}); err != nil || ids[0] != first[0] {
				t.Errorf("got %v, %v; want %v", ids, err, first[0])
			}
		})
	}
	wg.Wait()
	if n := len(r.storedEvents(t)); n != 2 {
		t.Errorf("got %d stored events, want 2", n)
	}
	other := one
	other.FieldValues = []byte(`{"a":2}`)
	if _, err := p.PublishAll(t.Context(), anna, "", []webhook.Submission{{Name: "d"}, other}); !errors.Is(err, webhook.ErrIdempotencyKeyReused) {
		t.Errorf("different content with the same id: got %v", err)
	}
	app := anna
	app.App = "app"
	if ids, err := p.PublishAll(t.Context(), app, "", []webhook.Submission{one}); err != nil || ids[0] == first[0] {
		t.Errorf("another app: got %v, %v; want a new event", ids, err)
	}
	r.clock.Advance(24 * time.Hour)
	if ids, err := p.PublishAll(t.Context(), anna, "", []webhook.Submission{one}); err != nil || ids[0] == first[0] {
		t.Errorf("a day later: got %v, %v; want a new event", ids, err)
	}
}

func TestPublishAll_IdempotencyKeyCoversEachEntry(t *testing.T) {
	t.Parallel()
	p, r := newPublisher(t)
	list := []webhook.Submission{{Name: "a"}, {Name: "a"}}
	first, err := p.PublishAll(t.Context(), anna, "k", list)
	if err != nil || first[0] == first[1] {
		t.Fatalf("got %v, %v; want two events", first, err)
	}
	r.clock.Advance(time.Hour)
	if again, err := p.PublishAll(t.Context(), anna, "k", list); err != nil || !slices.Equal(again, first) {
		t.Errorf("repeated: got %v, %v; want %v", again, err, first)
	}
	list[1].Name = "b"
	if _, err := p.PublishAll(t.Context(), anna, "k", list); !errors.Is(err, webhook.ErrIdempotencyKeyReused) {
		t.Errorf("with different content: got %v", err)
	}
}

func TestTake_OnceKey(t *testing.T) {
	t.Parallel()
	p, r := newPublisher(t)
	take := func(name, source, id string) webhook.Event {
		t.Helper()
		e, err := p.Take(t.Context(), webhook.Event{Tenant: "Default", Name: name, At: start, Hops: 1}, webhook.Once{Key: webhook.OnceKey(source, id), Life: 29 * 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const guid = "7E6F4B62-36A6-43EA-8D97-8F2C8C1BBFE1"
	first := take("a.b", "/in/crm", guid)
	r.clock.Advance(28 * 24 * time.Hour)
	if again := take("c", "/in/other", strings.ToLower(guid)); again.ID != first.ID {
		t.Error("the same GUID from another source: got another event, want the same")
	}
	if n := len(r.storedEvents(t)); n != 1 {
		t.Errorf("got %d stored events, want 1", n)
	}
	if one, other := take("a", "/in/crm", "7"), take("a", "/in/other", "7"); one.ID == other.ID {
		t.Error("an id that is not a GUID from two sources: got one event, want two")
	}
	r.clock.Advance(24 * time.Hour)
	if later := take("a.b", "/in/crm", guid); later.ID == first.ID {
		t.Error("after the life of the key: got the same event, want a new one")
	}
}

func TestTake_DropsWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	object := func(kib int) json.RawMessage {
		return json.RawMessage(`{"a":"` + strings.Repeat("x", kib<<10) + `"}`)
	}
	long := make([]string, 300)
	for i := range long {
		long[i] = fmt.Sprintf("%01000d", i)
	}
	for name, c := range map[string]struct{ content, want webhook.Content }{
		"nothing":  {webhook.Content{FieldValues: object(200), Previous: object(50)}, webhook.Content{FieldValues: object(200), Previous: object(50)}},
		"Previous": {webhook.Content{FieldValues: object(200), Previous: object(60)}, webhook.Content{FieldValues: object(200), Truncated: true}},
		"the values": {
			webhook.Content{Changes: []string{"a"}, FieldValues: object(200), Values: object(60), Previous: object(1)},
			webhook.Content{Changes: []string{"a"}, Truncated: true},
		},
		"the names": {webhook.Content{Changes: long}, webhook.Content{Truncated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := newPublisher(t)
			id := webhook.DeriveEventID(start, "stream", "1")
			e, err := p.Take(t.Context(), webhook.Event{Tenant: "Default", ID: id, Name: "a.b", At: start, Content: &c.content}, webhook.Once{})
			if err != nil {
				t.Fatal(err)
			}
			stored, err := p.Events.Get(t.Context(), "Default", id)
			if err != nil || !cmp.Equal(*stored.Content, c.want) || !cmp.Equal(*e.Content, c.want) {
				t.Errorf("stored %d bytes, truncated %t, %v", stored.Content.Size(), stored.Content.Truncated, err)
			}
		})
	}
}

func TestDeriveEventID(t *testing.T) {
	t.Parallel()
	id := webhook.DeriveEventID(start, "a", "bc")
	if !id.Valid() || id != webhook.DeriveEventID(start, "a", "bc") || id < webhook.FirstEventID(start) || id >= webhook.FirstEventID(start.Add(time.Millisecond)) {
		t.Errorf("got %s", id)
	}
	for _, other := range []webhook.EventID{webhook.DeriveEventID(start, "ab", "c"), webhook.DeriveEventID(start.Add(time.Millisecond), "a", "bc")} {
		if other == id {
			t.Error("different parts or time: got the same id")
		}
	}
}
