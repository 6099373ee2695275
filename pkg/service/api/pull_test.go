package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The owner of a webhook that is stopped or started need not wait for its timer. Other
// changes leave it alone.
func TestTimer_IsPulledWhenAWebhookIsStoppedOrStarted(t *testing.T) {
	t.Parallel()
	s := newTenantOf(t, 0)
	key := webhook.Key{Tenant: "Default", ID: 1}
	later := s.clock.Now().Add(10 * time.Minute).Truncate(time.Millisecond)
	timer, err := s.store.Deliveries().SetTimer(t.Context(), delivery.Timer{Key: key, DueAt: later})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id     int32
		change string
		pulled bool
	}{
		{1, `{"Name":"Orders"}`, false},
		{1, `{"State":"Active"}`, false},
		{2, `{"State":"Stopped"}`, false},
		{1, `{"State":"Stopped"}`, true},
		{1, `{"State":"Active"}`, true},
	} {
		timer.DueAt = later
		if timer, err = s.store.Deliveries().SetTimer(t.Context(), timer); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), "PATCH", fmt.Sprint("/api/v1/Webhook/", tt.id), strings.NewReader(tt.change))
		r.SetBasicAuth("tje0", "Tje0")
		r.Header.Set("Content-Type", "application/merge-patch+json")
		got := httptest.NewRecorder()
		if s.ServeHTTP(got, r); got.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", tt.change, got.Code, got.Body)
		}
		if timer, err = s.store.Deliveries().Timer(t.Context(), key); err != nil || timer.DueAt.Before(later) != tt.pulled {
			t.Errorf("webhook %d, %s: the timer is due %v early, %v; want it pulled: %v", tt.id, tt.change, later.Sub(timer.DueAt), err, tt.pulled)
		}
	}
	if _, err := s.store.Deliveries().Timer(t.Context(), webhook.Key{Tenant: "Default", ID: 2}); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("webhook 2, which has no timer: %v", err)
	}
}
