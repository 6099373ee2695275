package webhook_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// sevenSegments is a pattern that would be valid if its prefix were shorter.
var sevenSegments = regexp.MustCompile(`^([A-Za-z0-9_-]*\.){7}([A-Za-z0-9_-]*\.)*\*$`)

// The shapes, as regular expressions from their documentation.
func TestShapes_AreThoseOfTheirExpressions(t *testing.T) {
	t.Parallel()
	shapes := map[string]struct {
		expression *regexp.Regexp
		is         func(string) bool
	}{
		"event name": {regexp.MustCompile(`^[A-Za-z0-9_.-]{1,200}$`), webhook.ValidEventName},
		"event pattern": {regexp.MustCompile(`^([A-Za-z0-9_.-]{1,200}|\*|[A-Za-z0-9_.-]{1,198}\.\*)$`), func(s string) bool {
			return webhook.ValidEventPattern(s) || sevenSegments.MatchString(s) && len(s) <= 200
		}},
		"state event": {regexp.MustCompile(`(?is)^webhook[0-9]+\..+$`), func(s string) bool { _, ok := webhook.IsStateEvent(s); return ok }},
		"tenant":      {regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`), func(s string) bool { return webhook.Tenant(s).Valid() }},
	}
	parts := []string{
		"b.c.d.e.", "", "a", "Z", "0", "_", ".", "-", "*", ".*", "webhook", "webHook1.", "7", "\n", "é", "test", strings.Repeat("x", 64), strings.Repeat("y", 135),
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 4).Draw(t, "parts"), "")
				if got, want := shape.is(text), shape.expression.MatchString(text); got != want {
					t.Fatalf("%q: got %v, want %v", text, got, want)
				}
			})
		})
	}
}
