package storetest

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// changedBy returns a change with every member set.
func changedBy(members ...string) webhook.Change {
	return webhook.Change{
		Action: webhook.ActionChanged, At: now(), By: webhook.Associate{ID: 6, Name: "ØÅ", FullName: "Øyvind", UserName: "øå", Type: "InternalAssociate"},
		App: "app2", Members: members, ExpiresAt: now().Add(time.Hour),
	}
}

// history returns the revisions of a webhook's history.
func history(t *testing.T, h Harness, w webhook.Webhook, before int64, limit int) []int64 {
	t.Helper()
	page, err := h.Webhooks.History(t.Context(), w.Tenant, w.ID, before, limit)
	must(t, err)
	revisions := []int64{}
	for _, r := range page {
		revisions = append(revisions, r.Webhook.Revision)
	}
	return revisions
}

// revise saves a webhook until it has a revision, and returns it.
func revise(t *testing.T, h Harness, w webhook.Webhook, revision int64) webhook.Webhook {
	t.Helper()
	for w.Revision < revision {
		w.Revision++
		must(t, h.Webhooks.Update(t.Context(), w, changedBy()))
	}
	return w
}

func testHistory(t *testing.T, h Harness) {
	t.Run("Update and Delete keep the webhook that they replace, with the change", func(t *testing.T) {
		t.Parallel()
		w := newWebhook(newTenant(t), "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		if got := history(t, h, w, 0, 10); len(got) != 0 {
			t.Errorf("after Create the history has revisions %v", got)
		}
		one, first := w, changedBy("Name", "TargetUrl")
		w.Name, w.TargetURL, w.Revision = "renamed", "https://example.com/moved", 2
		must(t, h.Webhooks.Update(t.Context(), w, first))
		last := webhook.Change{Action: webhook.ActionDeleted, At: now()}
		must(t, h.Webhooks.Delete(t.Context(), w.Tenant, w.ID, 2, last))
		got, err := h.Webhooks.History(t.Context(), w.Tenant, w.ID, 0, 10)
		must(t, err)
		w.Secret, one.Secret = w.Secret.Bare(), one.Secret.Bare() // no revision but the stored one has the document
		if diff := cmp.Diff([]webhook.Replaced{{Change: last, Webhook: w}, {Change: first, Webhook: one}}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("an Update or Delete that changes nothing keeps nothing", func(t *testing.T) {
		t.Parallel()
		w := newWebhook(newTenant(t), "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		w.Revision = 3
		if err := h.Webhooks.Update(t.Context(), w, changedBy()); !errors.Is(err, webhook.ErrConflict) {
			t.Errorf("Update: got %v, want ErrConflict", err)
		}
		if err := h.Webhooks.Delete(t.Context(), w.Tenant, w.ID, 3, changedBy()); !errors.Is(err, webhook.ErrConflict) {
			t.Errorf("Delete: got %v, want ErrConflict", err)
		}
		if got := history(t, h, w, 0, 10); len(got) != 0 {
			t.Errorf("the history has revisions %v", got)
		}
	})
	t.Run("of racing Updates each revision is kept once", func(t *testing.T) {
		t.Parallel()
		w := newWebhook(newTenant(t), "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				next := w
				for next.Revision < 4 {
					next.Revision++
					if err := h.Webhooks.Update(t.Context(), next, changedBy()); err != nil && !errors.Is(err, webhook.ErrConflict) && !errors.Is(err, webhook.ErrUnavailable) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		stored, err := h.Webhooks.Get(t.Context(), w.Tenant, w.ID)
		must(t, err)
		want := []int64{}
		for r := stored.Revision - 1; r > 0; r-- {
			want = append(want, r)
		}
		if diff := cmp.Diff(want, history(t, h, w, 0, 10)); diff != "" {
			t.Errorf("revision %d is stored, its history (-want +got):\n%s", stored.Revision, diff)
		}
	})
	t.Run("History returns up to limit revisions less than before, newest first", func(t *testing.T) {
		t.Parallel()
		w := newWebhook(newTenant(t), "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		w = revise(t, h, w, 12)
		for _, tt := range []struct {
			before int64
			limit  int
			want   []int64
		}{
			{0, 3, []int64{11, 10, 9}},
			{9, 3, []int64{8, 7, 6}},
			{3, 3, []int64{2, 1}},
			{1, 3, []int64{}},
			{100, 1, []int64{11}},
			{0, 0, []int64{}},
		} {
			if diff := cmp.Diff(tt.want, history(t, h, w, tt.before, tt.limit)); diff != "" {
				t.Errorf("before %d, limit %d (-want +got):\n%s", tt.before, tt.limit, diff)
			}
		}
		other := w
		other.ID = 11
		if got := history(t, h, other, 0, 10); len(got) != 0 {
			t.Errorf("another webhook has revisions %v", got)
		}
	})
	t.Run("the newest HistoryLength revisions are kept", func(t *testing.T) {
		t.Parallel()
		w := bareWebhook(newTenant(t), 1, "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		w = revise(t, h, w, webhook.HistoryLength+3)
		got := history(t, h, w, 0, 2*webhook.HistoryLength)
		if len(got) != webhook.HistoryLength || got[0] != w.Revision-1 || got[len(got)-1] != 3 {
			t.Errorf("%d revisions are kept, %v to %v", len(got), got[0], got[len(got)-1])
		}
		must(t, h.Webhooks.Delete(t.Context(), w.Tenant, w.ID, w.Revision, changedBy()))
		if got := history(t, h, w, 0, 2*webhook.HistoryLength); len(got) != webhook.HistoryLength || got[0] != w.Revision {
			t.Errorf("after Delete %d revisions are kept, from %v", len(got), got[0])
		}
	})
	t.Run("a revision that has expired is absent", func(t *testing.T) {
		t.Parallel()
		w := newWebhook(newTenant(t), "a.b")
		must(t, h.Webhooks.Create(t.Context(), w))
		past := changedBy()
		past.ExpiresAt = now().Add(-time.Second)
		w.Revision = 2
		must(t, h.Webhooks.Update(t.Context(), w, past))
		w = revise(t, h, w, 3)
		if diff := cmp.Diff([]int64{2}, history(t, h, w, 0, 1)); diff != "" {
			t.Errorf("the first page (-want +got):\n%s", diff)
		}
		if got := history(t, h, w, 2, 1); len(got) != 0 {
			t.Errorf("the expired revision is returned: %v", got)
		}
	})
	t.Run("a webhook of more than 16 KiB is kept in part", func(t *testing.T) {
		t.Parallel()
		w := newWebhook(newTenant(t), "a.b")
		w.Description = strings.Repeat("x", 17<<10)
		must(t, h.Webhooks.Create(t.Context(), w))
		one, change := w, changedBy("Name", "Headers")
		w.Name, w.Headers, w.Revision = "renamed", nil, 2
		must(t, h.Webhooks.Update(t.Context(), w, change))
		got, err := h.Webhooks.History(t.Context(), w.Tenant, w.ID, 0, 10)
		must(t, err)
		if diff := cmp.Diff([]webhook.Replaced{change.Replaces(one)}, got); diff != "" || !got[0].Partial {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
