package notice_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// notifying is a Notifier on the time of a bubble.
type notifying struct {
	*notice.Notifier
	webhooktest.Notices
	log bytes.Buffer
}

func newNotifying() *notifying {
	n := &notifying{}
	n.Notifier = notice.NewNotifier(&n.Notices, slog.New(slog.NewTextHandler(&n.log, nil)), time.Now)
	return n
}

func failingNotice(tenant webhook.Tenant, id int) notice.Notice {
	return notice.Notice{Kind: notice.Failing, Tenant: tenant, Webhook: int32(id)}
}

func TestNotifier_PassesOnTenAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotifying()
		n.Flush(t.Context())
		if calls := n.Calls(); len(calls) != 0 {
			t.Errorf("nothing was added and there were calls of %v", calls)
		}
		for i := range 23 {
			n.Add(failingNotice(webhook.Tenant(fmt.Sprint("t", i%2)), i))
		}
		n.Flush(t.Context())
		n.Flush(t.Context())
		if calls := n.Calls(); !slices.Equal(calls, []int{10, 10, 3}) {
			t.Errorf("calls of %v, want 10, 10 and 3", calls)
		}
		if all := n.All(); all[22].Webhook != 22 || !all[22].At.Equal(time.Now()) {
			t.Errorf("the last one is %+v", all[22])
		}
	})
}

func TestNotifier_WithoutNoticesDropsEverything(t *testing.T) {
	t.Parallel()
	n := notice.NewNotifier(nil, nil, nil)
	n.Add(failingNotice("t", 1))
	n.Flush(t.Context())
}

func TestNotifier_AFailureIsLoggedAndTriedAgainAfterAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotifying()
		n.Fail(func(context.Context) error { return webhook.ErrUnavailable })
		for i := range 12 {
			n.Add(failingNotice("t", i))
		}
		n.Flush(t.Context())
		n.Fail(nil)
		n.Add(failingNotice("t", 12))
		n.Flush(t.Context())
		if calls := n.Calls(); !slices.Equal(calls, []int{10}) {
			t.Errorf("calls of %v, want one within the minute", calls)
		}
		if !strings.Contains(n.log.String(), "operational events not sent") {
			t.Errorf("the log has %q", n.log.String())
		}
		time.Sleep(time.Minute)
		n.Flush(t.Context())
		all := n.All()
		if len(all) != 13 || all[0].Webhook != 0 || all[12].Webhook != 12 {
			t.Errorf("got %+v, want all in their order", all)
		}
	})
}

// A bus that does not respond adds 1.5 s to an invocation, and nothing to one
// that has no time left.
func TestNotifier_TakesLittleTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotifying()
		n.Fail(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		n.Add(failingNotice("t", 1))
		began := time.Now()
		ending, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		n.Flush(ending)
		if took := time.Since(began); took != 0 || len(n.Calls()) != 0 {
			t.Errorf("6 s before the end it took %v", took)
		}
		n.Flush(t.Context())
		if took := time.Since(began); took != 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestNotifier_OneTenantLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotifying()
		for i := range 1000 {
			n.Add(failingNotice("Hostile", i))
		}
		n.Add(failingNotice("Default", 1))
		n.Flush(t.Context())
		if all := n.All(); len(all) != 21 || all[20].Tenant != "Default" {
			t.Errorf("%d were passed on, want 20 of one tenant and one of the other", len(all))
		}
		if !strings.Contains(n.log.String(), "operational events dropped: too many at once\" count=980") {
			t.Errorf("the log has %q", n.log.String())
		}
		for i := range 300 {
			n.Add(failingNotice(webhook.Tenant(fmt.Sprint("t", i)), 1))
		}
		n.Flush(t.Context())
		if all := n.All(); len(all) != 121 {
			t.Errorf("%d were passed on, want 100 more", len(all))
		}
	})
}

func TestNotifier_RepeatsConditionsEveryHourAndNeverDropsATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotifying()
		silent := notice.Notice{Kind: notice.SourceSilent, Source: "orders", Since: time.Now()}
		for range 120 { // two hours of sweeps
			n.Add(silent)
			n.Flush(t.Context())
			time.Sleep(time.Minute)
		}
		if all := n.All(); len(all) != 2 {
			t.Errorf("a source was told silent %d times in two hours, want 2", len(all))
		}
		for _, other := range []notice.Notice{
			{Kind: notice.SourceSilent, Source: "orders", Since: time.Now()},
			{Kind: notice.SourceSilent, Source: "stock", Since: silent.Since},
			{Kind: notice.SourceFailing, Source: "orders", Since: silent.Since},
			{Kind: notice.DeadLetter, Error: notice.Unreadable},
			{Kind: notice.DeadLetter, Error: notice.Received},
			failingNotice("t", 1), failingNotice("t", 1),
		} {
			n.Add(other)
		}
		n.Flush(t.Context())
		if all := n.All(); len(all) != 9 {
			t.Errorf("%d were passed on, want another incident, source, kind and error each, and every turn", len(all))
		}
	})
}

func TestNotice_EveryErrorHasAdvice(t *testing.T) {
	t.Parallel()
	for _, kind := range []notice.Kind{
		notice.Failing, notice.Recovered, notice.Disabled, notice.DeadLetter, notice.SourceFailing, notice.SourceSilent,
	} {
		for _, class := range []failure.Kind{
			failure.None, failure.DNS, failure.Refused, failure.Reset, failure.TLS, failure.Timeout,
			failure.Blocked, failure.Redirect, failure.Status, failure.Protocol, failure.TooLarge,
			failure.Body, failure.Secret, failure.Aborted, failure.Internal,
		} {
			for _, status := range []int{0, 400, 401, 404, 410, 429, 503} {
				advice := notice.Notice{Kind: kind, Error: notice.Class(class), Status: status}.Advice()
				if !strings.HasSuffix(advice, ".") || len(advice) > 250 {
					t.Errorf("%s %s %d: %q", kind, class, status, advice)
				}
			}
		}
	}
}
