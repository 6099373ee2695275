package main

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// A target that signals each event it receives again and passes the header on is
// stopped after three rounds.
func TestLocal_ALoopThroughATargetEnds(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	type round struct {
		hops   string
		status int
	}
	rounds := make(chan round, 10)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		hops := r.Header.Get("X-Posthaste-Hops")
		again, err := http.NewRequestWithContext(r.Context(), http.MethodPost, s.base+"/api/v1/Webhook/contact.changed/7", http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		again.SetBasicAuth("tje0", "Tje0")
		again.Header.Set("X-Posthaste-Hops", hops)
		answer, err := http.DefaultClient.Do(again)
		if err != nil {
			t.Error(err)
			return
		}
		_ = answer.Body.Close()
		rounds <- round{hops, answer.StatusCode}
	}))
	t.Cleanup(target.Close)
	s.create(target.URL)
	s.signal()
	var got []round
	for len(got) < 3 {
		select {
		case r := <-rounds:
			got = append(got, r)
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing arrived after %v", got)
		}
	}
	// A round may be reported after the round that it triggers.
	slices.SortFunc(got, func(a, b round) int { return cmp.Compare(a.hops, b.hops) })
	if want := []round{{"1", 204}, {"2", 204}, {"3", http.StatusLoopDetected}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
