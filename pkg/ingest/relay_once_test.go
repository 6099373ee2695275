package ingest_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A POST that comes again makes no second event, however late.
func TestRelay_ARepeatedPostIsOneEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(source.Source{Name: "crm-2", Relay: &source.Relay{Protocol: source.ProtocolSuperOffice, Context: "Cust12345"}}, secret)
	post := func(path, body string) {
		t.Helper()
		if w := b.post(path, body, signed(secret, body)); w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	post("/in/v1/crm", body)
	post("/in/v1/crm", body)
	post("/in/v1/crm", with(t, `"W"`, `"Another webhook of the CRM"`))
	post("/in/v1/crm-2", body)
	for _, later := range []time.Duration{25 * time.Hour, 28*24*time.Hour - 25*time.Hour, 24 * time.Hour, 2 * 24 * time.Hour, 300 * 24 * time.Hour} {
		b.clock.Advance(later)
		post("/in/v1/crm", body)
	}
	b.clock.Set(now)
	if got := len(b.events("Acme")); got != 1 {
		t.Errorf("got %d events, want 1", got)
	}
	b.clock.Advance(400 * 24 * time.Hour)
	if got := b.counts("crm"); got.Made != 5 || got.Skipped[source.ReasonOld] != 3 {
		t.Errorf("counts %+v, want 5 made and 3 too old", got)
	}
}

func TestRelay_RacingPostsAreOneEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var calls sync.WaitGroup
	for range 16 {
		calls.Go(func() {
			if status := b.relayed(body); status != 200 {
				t.Errorf("got %d", status)
			}
		})
	}
	calls.Wait()
	if got := len(b.events("Acme")); got != 1 {
		t.Errorf("got %d events, want 1", got)
	}
}

// failing is a store of events whose next writes fail: the first ones before they
// take place, then one after it.
type failing struct {
	webhook.Events
	claims, puts int
}

func (f *failing) Remember(ctx context.Context, tenant webhook.Tenant, key string, claim webhook.IdempotencyClaim, at time.Time) (webhook.IdempotencyClaim, error) {
	if f.claims--; f.claims >= 0 {
		return webhook.IdempotencyClaim{}, webhook.ErrUnavailable
	}
	return f.Events.Remember(ctx, tenant, key, claim, at)
}

func (f *failing) Put(ctx context.Context, e webhook.Event) error {
	if f.puts--; f.puts > 0 {
		return webhook.ErrUnavailable
	}
	err := f.Events.Put(ctx, e)
	if f.puts == 0 {
		return webhook.ErrUnavailable
	}
	return err
}

func TestRelay_AFailedWriteIs503AndTheNextTryMakesTheEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Publisher.Events = &failing{Events: b.db.Events(), claims: 1, puts: 2}
	for n, status := range []int{503, 503, 503, 200, 200} {
		w := b.post("/in/v1/crm", body, signed(secret, body))
		if w.Code != status || (w.Header().Get("Retry-After") != "") != (status == 503) {
			t.Errorf("POST %d: got %d %v, want %d", n+1, w.Code, w.Header(), status)
		}
	}
	if got := len(b.events("Acme")); got != 1 {
		t.Errorf("got %d events, want 1", got)
	}
	if got := b.counts("crm"); got.Made != 2 || got.Taken != 2 || got.LastFault == "" {
		t.Errorf("counts %+v, want the two that were stored", got)
	}
}

func TestRelay_AStoreThatCannotBeReadIs503(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sources.fail(webhook.ErrUnavailable)
	if status := b.relayed(body); status != 503 {
		t.Errorf("sources: got %d", status)
	}
	b.sources.fail(nil)
	s, _ := b.sources.Get(t.Context(), "crm")
	if err := b.db.Secrets().Delete(t.Context(), s.Relay.Secret.Name); err != nil {
		t.Fatal(err)
	}
	if status := b.relayed(body); status != 503 {
		t.Errorf("a secret that is gone: got %d", status)
	}
}

// Two stores that take two seconds each.
type (
	slowSources struct{ source.Sources }
	slowSecrets struct{ webhook.Secrets }
)

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * time.Second):
		return nil
	}
}

func (s slowSources) Get(ctx context.Context, name string) (source.Source, error) {
	if err := pause(ctx); err != nil {
		return source.Source{}, err
	}
	return s.Sources.Get(ctx, name)
}

func (slowSecrets) Read(ctx context.Context, _ webhook.SecretRef) (webhook.SecretDocument, error) {
	return webhook.SecretDocument{}, pause(ctx)
}

func TestRelay_RespondsWithin3Seconds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	synctest.Test(t, func(t *testing.T) {
		b.Sources, b.Secrets = slowSources{b.sources}, slowSecrets{}
		began := time.Now()
		if status := b.relayed(body); status != 503 {
			t.Errorf("got %d, want 503", status)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("the response took %v, want 3 s", took)
		}
	})
}
