package webhook_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// entry is what a test compares of a history's entry.
type entry struct {
	Revision int64
	Action   webhook.Action
	By       string
	Changed  []string
}

func (r *registry) entries(t *testing.T, who webhook.Principal, id int32) []entry {
	t.Helper()
	page, err := r.History(t.Context(), who, id, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	entries := []entry{}
	for _, p := range page {
		entries = append(entries, entry{p.Webhook.Revision, p.Action, p.By.Name + p.App, p.Members})
	}
	return entries
}

func TestRegistry_History(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.HistoryLife = 33 * 24 * time.Hour
	w := r.create(t, secret("first"), header("X-Api-Key", "key"))
	r.clock.Advance(time.Minute)
	moved := r.clock.Now().UTC()
	r.mustSave(t, w.ID, secret("second"), header("X-Api-Key", webhook.MaskedSecret), func(d *webhook.Draft) { d.TargetURL = "https://example.com/moved" })
	if err := r.EndOverlap(t.Context(), anna, w.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.EndOverlap(t.Context(), anna, w.ID); err != nil { // changes nothing
		t.Fatal(err)
	}
	_, err := r.SetOptions(t.Context(), anna, w.ID, func(webhook.Webhook) (webhook.Options, error) {
		return webhook.Options{Format: webhook.FormatData}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), anna, w.ID, nil); err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{4, webhook.ActionDeleted, "anna", nil},
		{3, webhook.ActionChanged, "anna", []string{"Format"}},
		{2, webhook.ActionChanged, "anna", []string{"PreviousSecret"}},
		{1, webhook.ActionChanged, "anna", []string{"TargetUrl", "Secret"}},
	}
	if diff := cmp.Diff(want, r.entries(t, anna, w.ID)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	page, err := r.History(t.Context(), anna, w.ID, 2, 1)
	if err != nil || len(page) != 1 {
		t.Fatalf("got %d entries, %v", len(page), err)
	}
	first := page[0]
	if diff := cmp.Diff(w, first.Webhook); diff != "" || !first.At.Equal(moved) || !first.ExpiresAt.Equal(moved.Add(r.HistoryLife)) {
		t.Errorf("replaced at %s, expires %s, (-created +kept):\n%s", first.At, first.ExpiresAt, diff)
	}
	if text, err := json.Marshal(first); err != nil || strings.Contains(string(text), "first") || strings.Contains(string(text), "key\"") {
		t.Errorf("a secret is kept: %s, %v", text, err)
	}
}

// A history is shown to those who see the webhook, or saw it when it was deleted.
func TestRegistry_HistoryIsForThoseWhoSeeTheWebhook(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	crm, spy, other := anna, anna, anna
	crm.App, spy.App, other.Tenant = "crm", "spy", "Other"
	w, err := r.Create(t.Context(), crm, draft())
	if err != nil {
		t.Fatal(err)
	}
	check := func(step string, want int) {
		t.Helper()
		for _, who := range []webhook.Principal{crm, anna} {
			if got := r.entries(t, who, w.ID); len(got) != want {
				t.Errorf("%s: %q sees %v, want %d entries", step, who.App, got, want)
			}
		}
		for _, who := range []webhook.Principal{spy, other} {
			if page, err := r.History(t.Context(), who, w.ID, 0, 10); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("%s: %s %q sees %v, %v", step, who.Tenant, who.App, page, err)
			}
			if _, _, _, err := r.At(t.Context(), who, w.ID, 1); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("%s: %s %q: At returned %v", step, who.Tenant, who.App, err)
			}
		}
	}
	check("created", 0)
	r.mustSave(t, w.ID)
	check("saved", 1)
	if err := r.Delete(t.Context(), crm, w.ID, nil); err != nil {
		t.Fatal(err)
	}
	check("deleted", 2)
	if page, err := r.History(t.Context(), anna, 4711, 0, 10); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("a webhook that never existed has %v, %v", page, err)
	}
}

// At finds each revision, kept whole or in part.
func TestRegistry_At(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 1, "large": 17 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegistry(t)
			properties := []byte(`{"a":"` + strings.Repeat("x", size) + `"}`)
			w := r.create(t, func(d *webhook.Draft) { d.Properties = properties })
			want := []webhook.Webhook{w}
			for _, change := range []func(*webhook.Draft){
				func(d *webhook.Draft) { d.Name, d.Properties = "a", properties },
				func(d *webhook.Draft) { d.Name, d.Properties, d.State = "b", properties, webhook.StateStopped },
				func(d *webhook.Draft) { d.Name, d.TargetURL = "b", "https://example.com/moved" },
			} {
				want = append(want, r.mustSave(t, w.ID, change))
			}
			for _, then := range want {
				stored, got, known, err := r.At(t.Context(), anna, w.ID, then.Revision)
				if err != nil || !known || stored.Revision != 4 {
					t.Fatalf("revision %d: known %t, %v; revision %d is stored", then.Revision, known, err, stored.Revision)
				}
				if diff := cmp.Diff(then, got); diff != "" {
					t.Errorf("revision %d (-saved +got):\n%s", then.Revision, diff)
				}
			}
			for _, revision := range []int64{0, 5} {
				if stored, got, known, err := r.At(t.Context(), anna, w.ID, revision); err != nil || known || !cmp.Equal(stored, got) {
					t.Errorf("revision %d: got revision %d, known %t, %v", revision, got.Revision, known, err)
				}
			}
		})
	}
}

func TestChange_ReplacesKeepsNoSecretValue(t *testing.T) {
	t.Parallel()
	w := webhook.Webhook{
		Headers: []webhook.Header{{Name: "Authorization", Value: "leaked", Secret: true}, {Name: "X", Value: "shown"}},
		Secret:  webhook.SecretRef{Name: "n", Version: "v", Signed: true},
	}
	// Whatever else a reference holds may be a secret.
	ref := reflect.ValueOf(&w.Secret).Elem()
	for i := range ref.NumField() {
		if name := ref.Type().Field(i).Name; name != "Name" && name != "Version" && name != "Signed" {
			leaked, _ := other(ref.Field(i).Type())
			ref.Field(i).Set(leaked)
		}
	}
	got := webhook.Change{}.Replaces(w).Webhook
	want := webhook.Webhook{
		Headers: []webhook.Header{{Name: "Authorization", Secret: true}, {Name: "X", Value: "shown"}},
		Secret:  webhook.SecretRef{Name: "n", Version: "v", Signed: true},
	}
	if diff := cmp.Diff(want, got); diff != "" || w.Headers[0].Value != "leaked" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRegistry_DatesSecrets(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t)
	check := func(step string, since, previous time.Time) {
		t.Helper()
		got, err := r.Get(t.Context(), anna, w.ID)
		if err != nil || !got.SecretSince.Equal(since) || !got.PreviousSince.Equal(previous) {
			t.Errorf("%s: since %s, the previous since %s, %v", step, got.SecretSince, got.PreviousSince, err)
		}
		r.clock.Advance(time.Hour)
	}
	never, now := time.Time{}, r.clock.Now
	check("created without", never, never)
	one := now()
	r.mustSave(t, w.ID, secret("one"))
	check("set", one, never)
	two := now()
	r.mustSave(t, w.ID, secret("two"))
	check("rotated", two, one)
	r.mustSave(t, w.ID, secret(webhook.MaskedSecret), header("X-Api-Key", "k"))
	check("another secret changed", two, one)
	if err := r.EndOverlap(t.Context(), anna, w.ID); err != nil {
		t.Fatal(err)
	}
	check("overlap ended", two, never)
	r.mustSave(t, w.ID, secret(""))
	check("removed", never, never)
	signed := now()
	if w = r.create(t, secret("s")); !w.SecretSince.Equal(signed) {
		t.Errorf("created with a secret: since %s", w.SecretSince)
	}
}
