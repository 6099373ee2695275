package sweep_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func (s *site) told() (all []string) {
	for _, n := range s.notices.All() {
		all = append(all, fmt.Sprintf("%s: %d %s", n.Kind, n.Count, n.Error))
	}
	return all
}

func TestNotices_DeadLettersAreToldOnceAnHour(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.sweep()
	if got := s.told(); got != nil {
		t.Fatalf("without letters: %q", got)
	}
	s.must(s.db.DeadLetters().Bury(t.Context(), []byte("{")))
	s.must(s.db.DeadLetters().Bury(t.Context(), []byte("[")))
	s.bury(attempt(key(1, 1), 1, 1))
	s.sweep()
	want := []string{"Dead Letter: 2 unreadable", "Dead Letter: 1 received_too_often"}
	if got := s.told(); !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
	s.clock.Advance(time.Minute)
	s.sweep()
	if got := s.told(); len(got) != 2 {
		t.Errorf("a minute later: %q", got[2:])
	}
	s.clock.Advance(time.Hour)
	s.sweep()
	if got := s.told(); !slices.Equal(got[2:], want[:1]) {
		t.Errorf("an hour later, with the unreadable letters: %q", got[2:])
	}
}

func TestNotices_ALetterThatCannotBeRevivedIsNotToldAsRevived(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.bury(attempt(key(1, 1), 1, 1))
	s.faults["MakeDue"] = webhook.ErrUnavailable
	if err := s.Run(t.Context()); err == nil {
		t.Error("the sweep reports no error")
	}
	if got := s.told(); got != nil {
		t.Errorf("told %q", got)
	}
}

func TestNotices_SourcesThatFailOrAreSilent(t *testing.T) {
	t.Parallel()
	r := newRelays(t)
	d := draft("orders", "s")
	d.ExpectWithin = time.Hour
	created, err := r.registry.Create(t.Context(), "admin", d)
	r.must(err)
	r.clock.Advance(61 * time.Minute)
	fault := r.clock.Now().Add(-4 * time.Minute)
	r.must(r.db.Sources().Count(t.Context(), "orders", source.Counts{LastFault: "no_timestamp", LastFaultAt: fault}))
	r.sweep()
	want := []webhook.Notice{
		{Kind: webhook.NoticeSourceFailing, At: r.clock.Now(), Since: fault, Tenant: created.Tenant, Source: "orders"},
		{Kind: webhook.NoticeSourceSilent, At: r.clock.Now(), Since: created.Created.Add(time.Hour), Tenant: created.Tenant, Source: "orders"},
	}
	if diff := cmp.Diff(want, r.notices.All()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.clock.Advance(2 * time.Minute) // the fault is six minutes old
	r.must(r.db.Sources().Count(t.Context(), "orders", source.Counts{Taken: 1, LastTaken: r.clock.Now()}))
	r.clock.Advance(59 * time.Minute)
	r.sweep()
	if got := r.notices.All(); len(got) != len(want) {
		t.Errorf("a source that works is told: %+v", got[len(want):])
	}
}
