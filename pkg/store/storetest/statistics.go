package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// StoredHour names a stored hour of statistics.
type StoredHour struct {
	Tenant  webhook.Tenant
	Webhook int32
	statistics.Hour
}

// newHour returns an hour with every member set, and every bucket different.
func newHour() statistics.Hour {
	hour := statistics.Hour{
		From: now().Truncate(time.Hour), Attempts: 7, Delivered: 5, Failed: 1, Suppressed: 11, ExpiresAt: now().Add(24 * time.Hour),
	}
	for i := range hour.Durations {
		hour.Durations[i], hour.Lags[i] = int64(i), int64(100+i)
	}
	return hour
}

// hours returns stored hours of a webhook.
func hours(t *testing.T, h Harness, tenant webhook.Tenant, id int32, from time.Time, limit int) []statistics.Hour {
	t.Helper()
	page, err := h.Statistics.Hours(t.Context(), tenant, id, from, limit)
	must(t, err)
	return append([]statistics.Hour{}, page...)
}

func testStatistics(t *testing.T, h Harness) {
	t.Run("Count adds to what is stored of an hour, member by member", func(t *testing.T) {
		t.Parallel()
		tenant, first := newTenant(t), newHour()
		must(t, h.Statistics.Count(t.Context(), tenant, 1, first))
		h.settle()
		if diff := cmp.Diff([]statistics.Hour{first}, hours(t, h, tenant, 1, first.From, 10)); diff != "" {
			t.Errorf("the first (-want +got):\n%s", diff)
		}
		second := statistics.Hour{From: first.From, Attempts: 2, Failed: 1, Suppressed: 3, ExpiresAt: first.ExpiresAt.Add(-time.Minute)}
		second.Durations[3], second.Lags[51] = 1, 1
		must(t, h.Statistics.Count(t.Context(), tenant, 1, second))
		h.settle()
		want := first
		want.Attempts, want.Failed, want.Suppressed, want.ExpiresAt = 9, 2, 14, second.ExpiresAt
		want.Durations[3]++
		want.Lags[51]++
		if diff := cmp.Diff([]statistics.Hour{want}, hours(t, h, tenant, 1, first.From, 10)); diff != "" {
			t.Errorf("with the second (-want +got):\n%s", diff)
		}
	})
	t.Run("an hour without attempts is not stored", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), newHour().From
		must(t, h.Statistics.Count(t.Context(), tenant, 1, statistics.Hour{From: at, ExpiresAt: at.Add(48 * time.Hour)}))
		h.settle()
		if got := hours(t, h, tenant, 1, at, 10); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("Hours returns up to limit hours of a webhook from a time on, in ascending order", func(t *testing.T) {
		t.Parallel()
		tenant, last := newTenant(t), newHour().From
		counted := func(id int32, hoursAgo int) statistics.Hour {
			hour := statistics.Hour{From: last.Add(-time.Duration(hoursAgo) * time.Hour), Attempts: int64(100 - hoursAgo), ExpiresAt: last.Add(48 * time.Hour)}
			must(t, h.Statistics.Count(t.Context(), tenant, id, hour))
			return hour
		}
		zero, thirty, one, five := counted(1, 0), counted(1, 30), counted(1, 1), counted(1, 5)
		counted(2, 0)
		counted(11, 0)
		h.settle()
		for _, tt := range []struct {
			from  time.Time
			limit int
			want  []statistics.Hour
		}{
			{five.From, 10, []statistics.Hour{five, one, zero}},
			{five.From.Add(time.Hour), 10, []statistics.Hour{one, zero}},
			{time.Time{}, 10, []statistics.Hour{thirty, five, one, zero}},
			{five.From, 2, []statistics.Hour{five, one}},
			{five.From, 0, []statistics.Hour{}},
			{last.Add(time.Hour), 10, []statistics.Hour{}},
		} {
			if diff := cmp.Diff(tt.want, hours(t, h, tenant, 1, tt.from, tt.limit)); diff != "" {
				t.Errorf("from %s, limit %d (-want +got):\n%s", tt.from, tt.limit, diff)
			}
		}
	})
	t.Run("an hour that has expired is absent", func(t *testing.T) {
		t.Parallel()
		tenant, hour := newTenant(t), newHour()
		hour.ExpiresAt = now().Add(-time.Second)
		must(t, h.Statistics.Count(t.Context(), tenant, 1, hour))
		h.settle()
		if got := hours(t, h, tenant, 1, hour.From, 10); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("a webhook has statistics until they expire, also when it is deleted", func(t *testing.T) {
		t.Parallel()
		tenant, hour := newTenant(t), newHour()
		must(t, h.Webhooks.Create(t.Context(), bareWebhook(tenant, 1, "a.b")))
		must(t, h.Statistics.Count(t.Context(), tenant, 1, hour))
		must(t, h.Webhooks.Delete(t.Context(), tenant, 1, 1, webhook.Change{}))
		must(t, h.Statistics.Count(t.Context(), tenant, 1, hour))
		h.settle()
		if diff := cmp.Diff([]statistics.Hour{hour.Add(hour)}, hours(t, h, tenant, 1, hour.From, 10)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func testStatisticsApart(t *testing.T, h Harness) {
	tenants := neighbours(t)
	hour := newHour()
	for i, tenant := range tenants {
		hour.Attempts = int64(i + 1)
		must(t, h.Statistics.Count(t.Context(), tenant, 1, hour))
	}
	check := func(step string, want ...int64) {
		t.Helper()
		h.settle()
		for i, tenant := range tenants {
			sum := int64(0)
			for _, hour := range hours(t, h, tenant, 1, hour.From, 10) {
				sum += hour.Attempts
			}
			if sum != want[i] {
				t.Errorf("%s: %s has %d attempts, want %d", step, tenant, sum, want[i])
			}
		}
	}
	check("after Count", 1, 2, 3)
	n, err := h.Erasure.EraseStatistics(t.Context(), tenants[0], 1, 10)
	if n != 1 || err != nil {
		t.Errorf("erased %d hours, %v; want 1", n, err)
	}
	check("after EraseStatistics", 0, 2, 3)
}
