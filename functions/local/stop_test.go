package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Attempts that a stop aborts are not failures of the target: they are not
// counted, the breaker stays closed, and the next start repeats them.
func TestLocal_AttemptsAbortedByAStopAreNotCounted(t *testing.T) {
	t.Parallel()
	const hanging = 16
	dir := t.TempDir()
	arrived := make(chan struct{}, 2*hanging)
	var answers atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil || answers.Load() {
			return
		}
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(target.Close)
	s := start(t, dir, map[string]string{"SHUTDOWN_TIMEOUT": "10ms"})
	id := s.create(target.URL)
	keys := s.burst(id, hanging)
	for range hanging {
		select {
		case <-arrived:
		case <-time.After(20 * time.Second):
			t.Fatal("not all attempts started")
		}
	}
	s.stop()

	db, err := embedded.Open(dir, embedded.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	found, err := db.Webhooks().Health(t.Context(), "Default", []int32{id})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int32]webhook.Health{}, found); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	for _, key := range keys {
		if row, err := db.Deliveries().Get(t.Context(), key); err != nil || row.Status != delivery.StatusPending || row.AttemptCount != 0 {
			t.Errorf("got %+v (%v), want a pending row without attempts", row, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	answers.Store(true)
	s = start(t, dir, nil)
	s.delivered(keys, 1)
}
