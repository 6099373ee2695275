package outbound

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The cache of targets is bounded in bytes, and a tenant that keeps changing
// long ones evicts only its own.
func TestSender_RemembersTargetsOfEveryTenant(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	const mine = "https://example.com/mine"
	first, err := s.target("Default", mine)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4000 {
		if _, err := s.target("Hostile", fmt.Sprintf("https://example.com/%d%s", n, strings.Repeat("u", 3900))); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.targets.Bytes(); got > maxTargetBytes {
		t.Errorf("targets take %d bytes, want up to %d", got, maxTargetBytes)
	}
	if again, err := s.target("Default", mine); err != nil || again != first {
		t.Errorf("another tenant's target was evicted, %v", err)
	}
}
