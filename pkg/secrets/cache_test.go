package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// source counts reads, whose results a test chooses.
type source struct {
	webhook.Secrets
	read  func(ctx context.Context, n int) error
	reads atomic.Int64
}

func (s *source) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	n := int(s.reads.Add(1))
	if s.read != nil {
		if err := s.read(ctx, n); err != nil {
			return webhook.SecretDocument{}, err
		}
	}
	return webhook.SecretDocument{
		Current: webhook.NewSecret(ref.Version), Headers: map[string]webhook.Secret{"X-Token": webhook.NewSecret("t")},
	}, nil
}

func (s *source) Delete(context.Context, string) error { return nil }

func ref(version int) webhook.SecretRef {
	return webhook.SecretRef{Name: "p/Default/7/ab", Version: fmt.Sprint(version)}
}

func TestCache_ReadsAVersionOnce(t *testing.T) {
	t.Parallel()
	s := &source{}
	cache := secrets.NewCache(s, 1<<20)
	for range 3 {
		doc, err := cache.Read(t.Context(), ref(1))
		if err != nil || doc.Current.Reveal() != "1" {
			t.Fatal(err)
		}
		doc.Headers["X-Token"] = webhook.NewSecret("changed by a caller")
	}
	doc, err := cache.Read(t.Context(), ref(1))
	if err != nil || doc.Headers["X-Token"].Reveal() != "t" {
		t.Error("a caller changed the cached document")
	}
	if n := s.reads.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

func TestCache_EvictsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	s := &source{}
	cache := secrets.NewCache(s, 1200) // holds two versions
	for _, step := range []struct{ version, reads int }{{1, 1}, {2, 2}, {1, 2}, {3, 3}, {1, 3}, {2, 4}} {
		if _, err := cache.Read(t.Context(), ref(step.version)); err != nil {
			t.Fatal(err)
		}
		if n := int(s.reads.Load()); n != step.reads {
			t.Fatalf("after version %d: %d reads, want %d", step.version, n, step.reads)
		}
	}
}

// A tenant that keeps changing large secrets evicts only its own versions,
// although the tenants' webhooks have the same ids.
func TestCache_OneTenantEvictsNoOther(t *testing.T) {
	t.Parallel()
	s := &source{}
	cache := secrets.NewCache(s, 64<<10)
	of := func(tenant, version string) webhook.SecretRef {
		return webhook.SecretRef{Name: "stack/webhooks/" + tenant + "/7/ab", Version: version}
	}
	for range 2 {
		for _, tenant := range []string{"Default", "Other"} {
			doc, err := cache.Read(t.Context(), of(tenant, "of "+tenant))
			if err != nil || doc.Current.Reveal() != "of "+tenant {
				t.Errorf("%s: got %v", tenant, err)
			}
		}
	}
	for n := range 100 {
		if _, err := cache.Read(t.Context(), of("Hostile", fmt.Sprint(n)+strings.Repeat("x", 4000))); err != nil {
			t.Fatal(err)
		}
	}
	before := s.reads.Load()
	for _, tenant := range []string{"Default", "Other"} {
		if _, err := cache.Read(t.Context(), of(tenant, "of "+tenant)); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.reads.Load() - before; n != 0 {
		t.Errorf("%d versions of other tenants were evicted", n)
	}
	if _, err := cache.Read(t.Context(), of("Hostile", "0"+strings.Repeat("x", 4000))); err != nil || s.reads.Load() == before {
		t.Errorf("100 versions of 8 KB are held in 64 KB, %v", err)
	}
}

func TestCache_CachesNoErrors(t *testing.T) {
	t.Parallel()
	s := &source{read: func(_ context.Context, n int) error {
		if n == 1 {
			return webhook.ErrSecretUnavailable
		}
		return nil
	}}
	cache := secrets.NewCache(s, 1<<20)
	if _, err := cache.Read(t.Context(), ref(1)); !errors.Is(err, webhook.ErrSecretUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := cache.Read(t.Context(), ref(1)); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestCache_JoinsReadsOfOneVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		s := &source{read: func(context.Context, int) error { <-open; return nil }}
		cache := secrets.NewCache(s, 1<<20)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if doc, err := cache.Read(t.Context(), ref(1)); err != nil || doc.Current.Reveal() != "1" {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		if n := s.reads.Load(); n != 1 {
			t.Errorf("%d reads at once", n)
		}
		close(open)
		wg.Wait()
	})
}

func TestCache_OneCallersEndIsNotTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{read: func(ctx context.Context, n int) error {
			if n == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		cache := secrets.NewCache(s, 1<<20)
		impatient, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := cache.Read(impatient, ref(1)); !errors.Is(err, context.Canceled) {
				t.Errorf("the caller that gave up got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if _, err := cache.Read(t.Context(), ref(1)); err != nil {
				t.Errorf("the caller that waited got %v", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

func TestCache_DropsDeletedSecrets(t *testing.T) {
	t.Parallel()
	s := &source{}
	cache := secrets.NewCache(s, 1<<20)
	for range 2 {
		if _, err := cache.Read(t.Context(), ref(1)); err != nil {
			t.Fatal(err)
		}
		if err := cache.Delete(t.Context(), ref(1).Name); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.reads.Load(); n != 2 {
		t.Errorf("%d reads", n)
	}
}
