package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// newSources returns revision 1 of a source of each kind, with every member set.
func newSources(t *testing.T) []source.Source {
	t.Helper()
	tenant := newTenant(t)
	overlap := time.Duration(0)
	prefix := strings.ToLower(string(tenant))
	base := func(kind source.Kind) source.Source {
		return source.Source{
			Name: prefix + "-" + string(kind), Kind: kind, Tenant: tenant, ExpectWithin: 90 * time.Minute,
			Revision: 1, Created: now(), Updated: now(), UpdatedBy: "Øyvind",
		}
	}
	bus, relay, table := base(source.KindBus), base(source.KindRelay), base(source.KindTable)
	bus.Bus = &source.Bus{
		Sources: []string{"shop <&>"}, DetailTypes: []string{"Order Placed"}, Event: "order.placed", Entity: "order",
		Key: "order.id", ChangedBy: "by", Fields: []string{"blåbær", "b"},
	}
	relay.Relay = &source.Relay{
		Protocol: source.ProtocolSuperOffice, Context: "Cust1", SecretOverlap: &overlap,
		Secret: webhook.SecretRef{Name: "p/t/0/x", Version: "v", Signed: true, Sealed: "s1.first.x"}, Rotations: 2, RotationDay: "2026-03-01",
	}
	table.Tenant = ""
	table.Table = &source.Table{
		Table: "arn:aws:dynamodb:eu-west-1:123456789012:table/orders", Entity: "order", Fields: []string{"a", "b"},
		Rename: map[string]string{"a": "x"}, Key: []string{"a", "c"}, TenantAttribute: "t", Tenants: []webhook.Tenant{tenant},
		ChangedBy: "by", Previous: []string{"b"}, Expired: true,
	}
	return []source.Source{bus, relay, table}
}

// newSource returns revision 1 of a source with only the required members.
func newSource(t *testing.T) source.Source {
	t.Helper()
	tenant := newTenant(t)
	return source.Source{
		Name: strings.ToLower(string(tenant)), Kind: source.KindBus, Tenant: tenant, Bus: &source.Bus{},
		Revision: 1, Created: now(), Updated: now(),
	}
}

func testSources(t *testing.T, h Harness) {
	ctx := t.Context()
	wantStored := func(t *testing.T, want source.Source) {
		t.Helper()
		got, err := h.Sources.Get(ctx, want.Name)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	}
	t.Run("Put stores every member, and List returns sources in the order of their names", func(t *testing.T) {
		want := append(newSources(t), newSource(t))
		for _, s := range want {
			must(t, h.Sources.Put(ctx, s))
			wantStored(t, s)
		}
		all, err := h.Sources.List(ctx)
		must(t, err)
		byName := func(a, b source.Source) int { return strings.Compare(a.Name, b.Name) }
		if !slices.IsSortedFunc(all, byName) {
			t.Error("the list is not in the order of the names")
		}
		all = slices.DeleteFunc(all, func(s source.Source) bool {
			return !slices.ContainsFunc(want, func(w source.Source) bool { return w.Name == s.Name })
		})
		slices.SortFunc(want, byName)
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
	})
	t.Run("Put replaces the previous revision only", func(t *testing.T) {
		s := newSource(t)
		must(t, h.Sources.Put(ctx, s))
		if err := h.Sources.Put(ctx, s); !errors.Is(err, webhook.ErrExists) {
			t.Errorf("a second new one: got %v, want ErrExists", err)
		}
		second := s
		second.Revision, second.UpdatedBy = 2, "second"
		must(t, h.Sources.Put(ctx, second))
		other := s
		for _, revision := range []int64{2, 4} {
			other.Revision = revision
			if err := h.Sources.Put(ctx, other); !errors.Is(err, webhook.ErrConflict) {
				t.Errorf("revision %d after 2: got %v, want ErrConflict", revision, err)
			}
		}
		wantStored(t, second)
		absent := newSource(t)
		absent.Revision = 2
		if err := h.Sources.Put(ctx, absent); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("revision 2 of an absent one: got %v, want ErrNotFound", err)
		}
	})
	t.Run("of moves of one secret at once one counts, and nothing else changes", func(t *testing.T) {
		relay := newSources(t)[1]
		must(t, h.Sources.Put(ctx, relay))
		registry := source.Registry{Sources: h.Sources}
		moved := func(i int) webhook.SecretRef {
			return webhook.SecretRef{Name: fmt.Sprint("q/t/0/", i), Version: "w", Signed: true}
		}
		from := relay.Relay.Secret
		if n := atOnce(t, 4, func(i int) error { return registry.MoveSecret(ctx, relay.Name, from, moved(i)) }, webhook.ErrConflict); n != 1 {
			t.Errorf("%d of 4 moves succeeded, want 1", n)
		}
		got, err := h.Sources.Get(ctx, relay.Name)
		must(t, err)
		tenant, ref, err := registry.SecretOf(ctx, relay.Name)
		if err != nil || tenant != relay.Tenant || ref == from || ref != got.Relay.Secret {
			t.Errorf("SecretOf: got %s, %#v, %v", tenant, ref.Stored(), err)
		}
		want := relay
		want.Revision, want.Relay.Secret = 2, ref
		wantStored(t, want)
		if names, err := registry.WithSecret(ctx, relay.Tenant); err != nil || !slices.Equal(names, []string{relay.Name}) {
			t.Errorf("WithSecret: got %q, %v", names, err)
		}
		must(t, h.Sources.Delete(ctx, relay.Name, 2))
		if err := registry.MoveSecret(ctx, relay.Name, ref, from); !errors.Is(err, webhook.ErrConflict) {
			t.Errorf("a move of a deleted source: got %v, want ErrConflict", err)
		}
	})
	t.Run("Delete removes this revision with its counts", func(t *testing.T) {
		s := newSource(t)
		must(t, h.Sources.Put(ctx, s))
		must(t, h.Sources.Count(ctx, s.Name, source.Counts{Taken: 1}))
		if err := h.Sources.Delete(ctx, s.Name, 2); !errors.Is(err, webhook.ErrConflict) {
			t.Errorf("another revision: got %v, want ErrConflict", err)
		}
		must(t, h.Sources.Delete(ctx, s.Name, 1))
		if err := h.Sources.Delete(ctx, s.Name, 1); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("again: got %v, want ErrNotFound", err)
		}
		if _, err := h.Sources.Get(ctx, s.Name); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Get: got %v, want ErrNotFound", err)
		}
		if c, err := h.Sources.Counts(ctx, s.Name); err != nil || c.Taken != 0 {
			t.Errorf("Counts: got %+v, %v; want none", c, err)
		}
	})
	t.Run("Get finds no source under an invalid name", func(t *testing.T) {
		for _, name := range []string{"N", "?", "-", "9", strings.Repeat("x", 600)} {
			if _, err := h.Sources.Get(ctx, name); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("%.9q: got %v, want ErrNotFound", name, err)
			}
		}
	})
	t.Run("Count adds, keeps the later times, and does not need the source", func(t *testing.T) {
		name, at := newSource(t).Name, now()
		if c, err := h.Sources.Counts(ctx, name); err != nil || cmp.Diff(source.Counts{}, c) != "" {
			t.Errorf("before: got %+v, %v; want zero", c, err)
		}
		must(t, h.Sources.Count(ctx, name, source.Counts{}))
		var want source.Counts
		for _, c := range []source.Counts{
			{
				Taken: 3, Made: 1, Refused: 2, Truncated: 1, Skipped: map[source.Reason]int64{source.ReasonOld: 1, source.ReasonPing: 1},
				Missing: map[string]int64{"a.b": 1, "blåbær :#": 2}, LastTaken: at, LastFault: "f1", LastFaultAt: at,
			},
			{Taken: 1, Skipped: map[source.Reason]int64{source.ReasonOld: 1}, LastTaken: at.Add(-time.Second), LastFault: "f0", LastFaultAt: at.Add(-time.Minute)},
			{Made: 1, LastTaken: at.Add(time.Second), LastFault: "f-1", LastFaultAt: at.Add(-time.Second)},
			{Missing: map[string]int64{"a.b": 1}, LastFault: "f2", LastFaultAt: at.Add(time.Hour)},
		} {
			must(t, h.Sources.Count(ctx, name, c))
			want = want.Add(c)
			got, err := h.Sources.Counts(ctx, name)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after %+v (-want +got):\n%s", c, diff)
			}
		}
	})
	t.Run("Count keeps at most 50 names", func(t *testing.T) {
		name := newSource(t).Name
		for i := range 4 {
			c := source.Counts{Missing: map[string]int64{"always": 1}, Skipped: map[source.Reason]int64{"always": 1}}
			for j := range 19 {
				c.Missing[fmt.Sprint("a", i, j)], c.Skipped[source.Reason(fmt.Sprint("a", i, j))] = 1, 1
			}
			must(t, h.Sources.Count(ctx, name, c))
		}
		c, err := h.Sources.Counts(ctx, name)
		must(t, err)
		if len(c.Missing) != 50 || len(c.Skipped) != 50 || c.Missing["always"] != 4 || c.Skipped["always"] != 4 {
			t.Errorf("got %d and %d names, always %d and %d times", len(c.Missing), len(c.Skipped), c.Missing["always"], c.Skipped["always"])
		}
	})
	t.Run("a new source begins without the counts of an older one", func(t *testing.T) {
		s := newSource(t)
		must(t, h.Sources.Count(ctx, s.Name, source.Counts{Taken: 1, LastTaken: now()}))
		must(t, h.Sources.Put(ctx, s))
		if c, err := h.Sources.Counts(ctx, s.Name); err != nil || c.Taken != 0 || !c.LastTaken.IsZero() {
			t.Errorf("got %+v, %v; want none", c, err)
		}
	})
	t.Run("Put refuses one more than MaxSources", func(t *testing.T) {
		all, err := h.Sources.List(ctx)
		must(t, err)
		var made []source.Source
		for range source.MaxSources - len(all) {
			made = append(made, newSource(t))
			must(t, h.Sources.Put(ctx, made[len(made)-1]))
		}
		more := newSource(t)
		var invalid *webhook.ValidationError
		if err := h.Sources.Put(ctx, more); !errors.As(err, &invalid) {
			t.Errorf("got %v, want a *ValidationError", err)
		}
		if err := h.Sources.Put(ctx, made[0]); !errors.Is(err, webhook.ErrExists) {
			t.Errorf("a name that is taken: got %v, want ErrExists", err)
		}
		made[0].Revision = 2
		must(t, h.Sources.Put(ctx, made[0]))
		must(t, h.Sources.Delete(ctx, made[0].Name, 2))
		must(t, h.Sources.Put(ctx, more))
		for _, s := range append(made[1:], more) {
			must(t, h.Sources.Delete(ctx, s.Name, 1))
		}
	})
}
